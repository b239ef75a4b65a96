package org.dyr.cpu.reference;

/** Softmax cross-entropy of each group, the positive standing first. */
final class Losses {
  private Losses() {}

  static void forward(Tensor z, Tensor groups, Tensor loss) {
    for (int g = 0; g < loss.size(); g++) {
      int from = groups.index(g), to = groups.index(g + 1);
      loss.set(g, from == to ? 0 : logSumExp(z, from, to) - z.get(from));
    }
  }

  static void backward(Tensor dloss, Tensor z, Tensor groups, Tensor dz) {
    dz.fill(0);
    for (int g = 0; g < dloss.size(); g++) {
      int from = groups.index(g), to = groups.index(g + 1);
      double lse = logSumExp(z, from, to);
      for (int i = from; i < to; i++) dz.set(i, dloss.get(g) * (Math.exp(z.get(i) - lse) - (i == from ? 1 : 0)));
    }
  }

  private static double logSumExp(Tensor z, int from, int to) {
    double max = Double.NEGATIVE_INFINITY, sum = 0;
    for (int i = from; i < to; i++) max = Math.max(max, z.get(i));
    for (int i = from; i < to; i++) sum += Math.exp(z.get(i) - max);
    return max + Math.log(sum);
  }
}
