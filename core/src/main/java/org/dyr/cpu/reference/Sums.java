package org.dyr.cpu.reference;

import java.util.Arrays;

/** A matrix that is added to in any order, in double, and rounded to its type once. Made in prepare. */
final class Sums {
  private final Tensor to;
  private final double[] sums;

  Sums(Tensor to) {
    this.to = to;
    sums = new double[Math.toIntExact(to.size())];
  }

  void clear() {
    Arrays.fill(sums, 0);
  }

  void add(int row, int column, double x) {
    sums[row * to.columns + column] += x;
  }

  void store() {
    for (int i = 0; i < sums.length; i++) to.set(i, sums[i]);
  }
}
