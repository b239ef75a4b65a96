package org.dyr.cpu.reference;

/** Softmax cross-entropy of each group, the positive standing first. */
final class Losses {
  private Losses() {}

  static void forward(Tensor z, Tensor groups, int kept, Tensor loss) {
    for (int g = 0; g < loss.size(); g++) {
      int from = groups.index(g), to = groups.index(g + 1);
      loss.set(g, from == to ? 0 : logSumExp(z, from, to, kept) - z.get(from));
    }
  }

  static void backward(Tensor dloss, Tensor z, Tensor groups, int kept, Tensor dz) {
    dz.fill(0);
    for (int g = 0; g < dloss.size(); g++) {
      int from = groups.index(g), to = groups.index(g + 1);
      double lse = logSumExp(z, from, to, kept);
      for (int i = from; i < to; i++) {
        if (counts(z, from, to, kept, i)) dz.set(i, dloss.get(g) * (Math.exp(z.get(i) - lse) - (i == from ? 1 : 0)));
      }
    }
  }

  private static double logSumExp(Tensor z, int from, int to, int kept) {
    double max = Double.NEGATIVE_INFINITY, sum = 0;
    for (int i = from; i < to; i++) if (counts(z, from, to, kept, i)) max = Math.max(max, z.get(i));
    for (int i = from; i < to; i++) if (counts(z, from, to, kept, i)) sum += Math.exp(z.get(i) - max);
    return max + Math.log(sum);
  }

  /** Whether sample i is the positive, or fewer than {@code kept} negatives come before it by z, then by place. */
  private static boolean counts(Tensor z, int from, int to, int kept, int i) {
    if (i == from || to - from - 1 <= kept) return true;
    int before = 0;
    for (int j = from + 1; j < to; j++) if (z.get(j) > z.get(i) || z.get(j) == z.get(i) && j < i) before++;
    return before < kept;
  }
}
