package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.GroupCrossEntropy;

/**
 * loss[g] = log sum exp z - z[first] of each group, and its gradient. A step has some hundred logits: plain loops in
 * double on the caller's thread take less time than waking a second one.
 */
final class GroupCrossEntropyKernel implements Kernel {

  private final MemorySegment z;      // (S,1)
  private final MemorySegment groups; // i32(G+1)
  private final MemorySegment loss;   // (G)
  private final int count;            // G

  GroupCrossEntropyKernel(GroupCrossEntropy op, Operands o, Workers workers) {
    z = o.inputs()[0].segment();
    groups = o.inputs()[1].segment();
    loss = o.outputs()[0].segment();
    count = o.in()[1].shape().dim(0) - 1;
  }

  @Override public void launch() {
    for (int g = 0; g < count; g++) {
      int from = start(groups, g), to = start(groups, g + 1);
      double l = from == to ? 0 : logSumExp(z, from, to) - at(z, from);
      loss.setAtIndex(ValueLayout.JAVA_FLOAT, g, (float) l);
    }
  }

  private static int start(MemorySegment groups, int g) {
    return groups.getAtIndex(ValueLayout.JAVA_INT, g);
  }

  private static double at(MemorySegment x, int i) {
    return x.getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  private static double logSumExp(MemorySegment z, int from, int to) {
    double max = Double.NEGATIVE_INFINITY, sum = 0;
    for (int i = from; i < to; i++) max = Math.max(max, at(z, i));
    for (int i = from; i < to; i++) sum += Math.exp(at(z, i) - max);
    return max + Math.log(sum);
  }

  /** dz[i] = dloss[g] (exp(z[i] - log sum exp) - [i is first]); 0 for samples of no group. */
  static final class Grad implements Kernel {

    private final MemorySegment dloss;  // (G)
    private final MemorySegment z;      // (S,1)
    private final MemorySegment groups; // i32(G+1)
    private final MemorySegment dz;     // (S,1)
    private final int count;            // G

    Grad(GroupCrossEntropy.Grad op, Operands o, Workers workers) {
      dloss = o.inputs()[0].segment();
      z = o.inputs()[1].segment();
      groups = o.inputs()[2].segment();
      dz = o.outputs()[0].segment();
      count = o.in()[2].shape().dim(0) - 1;
    }

    @Override public void launch() {
      dz.fill((byte) 0);
      for (int g = 0; g < count; g++) {
        int from = start(groups, g), to = start(groups, g + 1);
        double lse = logSumExp(z, from, to), d = at(dloss, g);
        for (int i = from; i < to; i++) {
          dz.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (d * (Math.exp(at(z, i) - lse) - (i == from ? 1 : 0))));
        }
      }
    }
  }
}
