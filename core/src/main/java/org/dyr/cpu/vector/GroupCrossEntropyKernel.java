package org.dyr.cpu.vector;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.GroupCrossEntropy;

/**
 * {@link GroupCrossEntropy}. A step has some hundred logits: plain loops in double on the caller's thread take less
 * time than waking a second one.
 */
final class GroupCrossEntropyKernel implements Kernel {
  private final long z;      // (S,1)
  private final long groups; // i32(G+1)
  private final long loss;   // (G)
  private final int count;   // G
  private final int kept;

  GroupCrossEntropyKernel(GroupCrossEntropy op, Operands o, Workers workers) {
    z = o.inputs()[0].address();
    groups = o.inputs()[1].address();
    loss = o.outputs()[0].address();
    count = o.in()[1].shape().dim(0) - 1;
    kept = op.kept();
  }

  @Override public void launch() {
    for (int g = 0; g < count; g++) {
      int from = Floats.getInt(groups, g), to = Floats.getInt(groups, g + 1);
      Floats.set(loss, g, from == to ? 0 : (float) (logSumExp(z, from, to, kept) - Floats.get(z, from)));
    }
  }

  private static double logSumExp(long z, int from, int to, int kept) {
    double max = Double.NEGATIVE_INFINITY, sum = 0;
    for (int i = from; i < to; i++) max = Math.max(max, Floats.get(z, i)); // the highest always counts
    for (int i = from; i < to; i++) if (counts(z, from, to, kept, i)) sum += Math.exp(Floats.get(z, i) - max);
    return max + Math.log(sum);
  }

  /** Whether sample i is the positive, or fewer than {@code kept} negatives come before it by z, then by place. */
  private static boolean counts(long z, int from, int to, int kept, int i) {
    if (i == from || to - from - 1 <= kept) return true;
    int before = 0;
    float x = Floats.get(z, i);
    for (int j = from + 1; j < to && before < kept; j++) {
      float y = Floats.get(z, j);
      if (y > x || y == x && j < i) before++;
    }
    return before < kept;
  }

  /** {@link GroupCrossEntropy.Grad}. */
  static final class Grad implements Kernel {
    private final long dloss;  // (G)
    private final long z;      // (S,1)
    private final long groups; // i32(G+1)
    private final long dz;     // (S,1)
    private final int count;   // G
    private final int samples; // S
    private final int kept;

    Grad(GroupCrossEntropy.Grad op, Operands o, Workers workers) {
      dloss = o.inputs()[0].address();
      z = o.inputs()[1].address();
      groups = o.inputs()[2].address();
      dz = o.outputs()[0].address();
      count = o.in()[2].shape().dim(0) - 1;
      samples = o.in()[1].shape().rows();
      kept = op.kept();
    }

    @Override public void launch() {
      for (int i = 0; i < samples; i++) Floats.set(dz, i, 0);
      for (int g = 0; g < count; g++) {
        int from = Floats.getInt(groups, g), to = Floats.getInt(groups, g + 1);
        double lse = logSumExp(z, from, to, kept), d = Floats.get(dloss, g);
        for (int i = from; i < to; i++) {
          if (!counts(z, from, to, kept, i)) continue;
          Floats.set(dz, i, (float) (d * (Math.exp(Floats.get(z, i) - lse) - (i == from ? 1 : 0))));
        }
      }
    }
  }
}
