package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Gather;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.tensor.Spec;

/** The kernels of {@code gather.cu} and {@code loss.cu}: those that go by an index. */
final class GatherCalls {
  private GatherCalls() {}

  /** y[r,:] = table[index[r],:]. Inputs table (V,C), index (R). */
  static Kernel gather(Binding o) {
    int type = o.type(), columns = o.columns(), rows = o.operands().out()[0].shape().rows();
    long table = o.in(0), index = o.in(1), y = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.gather(type, table, index, y, rows, columns, stream));
  }

  /** Bytes for the sorted tokens, and for the sums that go across stretches of them. */
  static long gradScratch(Gather.Grad op, Spec dy) {
    return CudaCalls.gatherGradScratch(dy.shape().rows(), op.rows(), dy.shape().last());
  }

  /** dtable[v,:] = the sum of dy[r,:] where index[r] = v. Inputs dy (R,C), index (R); output dtable (V,C). */
  static Kernel gatherGrad(Binding o, Gather.Grad op) {
    int type = o.type(), rows = o.rows(), columns = o.columns(), tableRows = op.rows();
    long dy = o.in(0), index = o.in(1), dtable = o.out(0), scratch = o.scratch(), stream = o.stream();
    return () -> check(CudaCalls.gatherGrad(type, dy, index, dtable, scratch, rows, tableRows, columns, stream));
  }

  /** Inputs z (S,1), groups (G+1); output loss (G). */
  static Kernel loss(Binding o, GroupCrossEntropy op) {
    int type = o.type(), count = o.operands().in()[1].shape().dim(0) - 1, kept = op.kept();
    long z = o.in(0), groups = o.in(1), loss = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.groupCrossEntropy(type, z, groups, loss, count, kept, stream));
  }

  /** Inputs dloss (G), z (S,1), groups (G+1); output dz (S,1). */
  static Kernel lossGrad(Binding o, GroupCrossEntropy.Grad op) {
    int type = o.type(), samples = o.operands().in()[1].shape().rows(), kept = op.kept();
    int count = o.operands().in()[2].shape().dim(0) - 1;
    long dloss = o.in(0), z = o.in(1), groups = o.in(2), dz = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.groupCrossEntropyGrad(type, dloss, z, groups, dz, count, samples, kept, stream));
  }
}
