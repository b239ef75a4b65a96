package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Layer norm of one row, in several passes over it: the first brings it into L1 (a row of 768 has 3 KiB), the others
 * find it there. The variance is the mean of squared deviations, not of squares: no cancellation.
 */
final class LayerNormRows {
  private LayerNormRows() {}

  static float mean(MemorySegment x, long at, int columns) {
    return SumVector.sum(x, at, columns) / columns;
  }

  /** 1 / sqrt(var + eps). */
  static float rstd(MemorySegment x, long at, int columns, float mean, double eps) {
    FloatVector m = Floats.all(mean);
    FloatVector s0 = Floats.all(0), s1 = s0, s2 = s0, s3 = s0;
    int c = 0;
    for (; c <= columns - 4 * Lanes.COUNT; c += 4 * Lanes.COUNT) {
      FloatVector d0 = Floats.load(x, at + c).sub(m);
      FloatVector d1 = Floats.load(x, at + c + Lanes.COUNT).sub(m);
      FloatVector d2 = Floats.load(x, at + c + 2 * Lanes.COUNT).sub(m);
      FloatVector d3 = Floats.load(x, at + c + 3 * Lanes.COUNT).sub(m);
      s0 = d0.fma(d0, s0);
      s1 = d1.fma(d1, s1);
      s2 = d2.fma(d2, s2);
      s3 = d3.fma(d3, s3);
    }
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      // Not by Floats.load: a call that is rare is not inlined.
      FloatVector d = FloatVector.fromMemorySegment(Lanes.F, x, at + c << 2, Floats.ORDER).sub(m);
      s0 = d.fma(d, s0);
    }
    double sum = Floats.sum(s0.add(s1).add(s2.add(s3)));
    for (; c < columns; c++) {
      double d = Floats.get(x, at + c) - mean;
      sum += d * d;
    }
    return (float) (1 / Math.sqrt(sum / columns + eps));
  }

  /** y = (x - mean) rstd w + b. */
  static void normalize(MemorySegment x, MemorySegment y, long at, int columns, float mean, float rstd, MemorySegment w,
      MemorySegment b) {
    FloatVector m = Floats.all(mean), r = Floats.all(rstd);
    int c = 0;
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      FloatVector n = Floats.load(x, at + c).sub(m).mul(r);
      Floats.store(n.fma(Floats.load(w, c), Floats.load(b, c)), y, at + c);
    }
    for (; c < columns; c++) {
      Floats.set(y, at + c, Math.fma((Floats.get(x, at + c) - mean) * rstd, Floats.get(w, c), Floats.get(b, c)));
    }
  }

  /**
   * dx = rstd (dn - avg(dn) - n avg(dn n)) with n = (x - mean) rstd, dn = dy w; adds dy n to the sums of dw at
   * {@code dwAt} and dy to those of db at {@code dbAt}.
   */
  static void gradient(MemorySegment dy, MemorySegment x, MemorySegment dx, long at, int columns, MemorySegment w,
      float mean, float rstd, MemorySegment sums, long dwAt, long dbAt) {
    float average = sumOfProducts(dy, at, w, columns) / columns;
    float averageOfProduct = addSums(dy, x, at, columns, w, mean, rstd, sums, dwAt, dbAt) / columns;
    gradient(dy, x, dx, at, columns, w, mean, rstd, average, averageOfProduct);
  }

  /** The sum of dn. */
  private static float sumOfProducts(MemorySegment dy, long at, MemorySegment w, int columns) {
    FloatVector s0 = Floats.all(0), s1 = s0;
    int c = 0;
    for (; c <= columns - 2 * Lanes.COUNT; c += 2 * Lanes.COUNT) {
      s0 = Floats.load(dy, at + c).fma(Floats.load(w, c), s0);
      s1 = Floats.load(dy, at + c + Lanes.COUNT).fma(Floats.load(w, c + Lanes.COUNT), s1);
    }
    float sum = Floats.sum(s0.add(s1));
    for (; c < columns; c++) sum = Math.fma(Floats.get(dy, at + c), Floats.get(w, c), sum);
    return sum;
  }

  /** The sum of dn n; adds to the sums of dw and db. */
  private static float addSums(MemorySegment dy, MemorySegment x, long at, int columns, MemorySegment w, float mean,
      float rstd, MemorySegment sums, long dwAt, long dbAt) {
    FloatVector total = Floats.all(0);
    int c = 0;
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      FloatVector d = Floats.load(dy, at + c), product = Floats.load(x, at + c).sub(mean).mul(rstd).mul(d);
      total = product.fma(Floats.load(w, c), total);
      Floats.store(Floats.load(sums, dwAt + c).add(product), sums, dwAt + c);
      Floats.store(Floats.load(sums, dbAt + c).add(d), sums, dbAt + c);
    }
    float sum = Floats.sum(total);
    for (; c < columns; c++) {
      float d = Floats.get(dy, at + c), product = (Floats.get(x, at + c) - mean) * rstd * d;
      sum = Math.fma(product, Floats.get(w, c), sum);
      Floats.set(sums, dwAt + c, Floats.get(sums, dwAt + c) + product);
      Floats.set(sums, dbAt + c, Floats.get(sums, dbAt + c) + d);
    }
    return sum;
  }

  private static void gradient(MemorySegment dy, MemorySegment x, MemorySegment dx, long at, int columns, MemorySegment w,
      float mean, float rstd, float average, float averageOfProduct) {
    FloatVector slope = Floats.all(-averageOfProduct);
    int c = 0;
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      FloatVector n = Floats.load(x, at + c).sub(mean).mul(rstd);
      FloatVector dn = Floats.load(dy, at + c).mul(Floats.load(w, c)).sub(average);
      Floats.store(n.fma(slope, dn).mul(rstd), dx, at + c);
    }
    for (; c < columns; c++) {
      float n = (Floats.get(x, at + c) - mean) * rstd, dn = Floats.get(dy, at + c) * Floats.get(w, c) - average;
      Floats.set(dx, at + c, Math.fma(n, -averageOfProduct, dn) * rstd);
    }
  }
}
