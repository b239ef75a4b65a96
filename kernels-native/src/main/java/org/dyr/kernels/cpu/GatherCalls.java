package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.GroupCrossEntropy;

/** The kernels of {@code gather.h} and {@code loss.h}: those that go by an index. */
final class GatherCalls {
  private GatherCalls() {}

  /** y[r,:] = table[index[r],:]. Inputs table (V,C), index (R). */
  static Kernel gather(Binding o) {
    int isa = o.isa, type = o.type, columns = o.columns();
    long table = o.in(0), index = o.in(1), y = o.out(0);
    Workers.Task task = o.share(o.operands.out()[0].shape().rows(), (from, to, _) ->
        NativeCalls.gather(isa, type, table, index, y, from, to, columns));
    return () -> o.workers.run(task);
  }

  /**
   * dtable[index[r],:] += dy[r,:] into zeros, the columns shared out. Inputs dy (R,C), index (R); output dtable (V,C).
   */
  static Kernel gatherGrad(Binding o) {
    int isa = o.isa, type = o.type, rows = o.rows(), columns = o.columns();
    long dy = o.in(0), index = o.in(1), dtable = o.out(0);
    Workers.Task clear = o.elementsTask(o.operands.out()[0].shape().size(), (from, to, _) ->
        NativeCalls.clear(isa, type, dtable, from, to));
    Workers.Task add = o.elementsTask(columns, (from, to, _) ->
        NativeCalls.gatherAdd(isa, type, dy, index, dtable, from, to, rows, columns));
    return () -> {
      o.workers.run(clear);
      o.workers.run(add);
    };
  }

  /** Inputs z (S,1), groups (G+1); output loss (G). On the caller's thread. */
  static Kernel loss(Binding o, GroupCrossEntropy op) {
    int isa = o.isa, type = o.type, groups = o.operands.in()[1].shape().dim(0) - 1, kept = op.kept();
    long z = o.in(0), bounds = o.in(1), loss = o.out(0);
    return () -> NativeCalls.groupCrossEntropy(isa, type, z, bounds, loss, 0, groups, kept);
  }

  /** Inputs dloss (G), z (S,1), groups (G+1); output dz (S,1). On the caller's thread. */
  static Kernel lossGrad(Binding o, GroupCrossEntropy.Grad op) {
    int isa = o.isa, type = o.type, groups = o.operands.in()[2].shape().dim(0) - 1, kept = op.kept();
    long dloss = o.in(0), z = o.in(1), bounds = o.in(2), dz = o.out(0), samples = o.operands.in()[1].shape().size();
    return () -> {
      NativeCalls.clear(isa, type, dz, 0, samples);
      NativeCalls.groupCrossEntropyGrad(isa, type, dloss, z, bounds, dz, 0, groups, kept);
    };
  }
}
