package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;

/**
 * Layer norm of one row of n floats, by addresses, in several passes: the first brings the row into L1 (one of 768 has
 * 3 KiB), the others find it there. The variance is the mean of squared deviations, not of squares: no cancellation.
 */
final class LayerNormRows {
  private LayerNormRows() {}

  static float mean(long x, int n) {
    return SumVector.sum(x, n) / n;
  }

  /** 1 / sqrt(var + eps). */
  static float rstd(long x, int n, float mean, double eps) {
    FloatVector s0 = FloatVector.zero(F), s1 = s0, s2 = s0, s3 = s0;
    int c = 0;
    for (; c <= n - 4 * COUNT; c += 4 * COUNT) {
      long p = at(x + 4L * c);
      FloatVector d0 = FloatVector.fromMemorySegment(F, ALL, p, ORDER).sub(mean);
      FloatVector d1 = FloatVector.fromMemorySegment(F, ALL, p + BYTES, ORDER).sub(mean);
      FloatVector d2 = FloatVector.fromMemorySegment(F, ALL, p + 2 * BYTES, ORDER).sub(mean);
      FloatVector d3 = FloatVector.fromMemorySegment(F, ALL, p + 3 * BYTES, ORDER).sub(mean);
      s0 = d0.fma(d0, s0);
      s1 = d1.fma(d1, s1);
      s2 = d2.fma(d2, s2);
      s3 = d3.fma(d3, s3);
    }
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER).sub(mean);
      s0 = d.fma(d, s0);
    }
    FloatVector s = Floats.ZERO.add(s0).add(s1).add(s2).add(s3);
    s = s.add(s.rearrange(Floats.BY_8));
    s = s.add(s.rearrange(Floats.BY_4));
    s = s.add(s.rearrange(Floats.BY_2));
    double sum = s.add(s.rearrange(Floats.BY_1)).lane(0) * Floats.TURNED;
    for (; c < n; c++) {
      double d = Floats.get(x, c) - mean;
      sum += d * d;
    }
    return (float) (1 / Math.sqrt(sum / n + eps));
  }

  /** y = (x - mean) rstd w + b. */
  static void normalize(long x, long y, int n, float mean, float rstd, long w, long b) {
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector normal = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER).sub(mean).mul(rstd);
      FloatVector weight = FloatVector.fromMemorySegment(F, ALL, at(w + 4L * c), ORDER);
      FloatVector bias = FloatVector.fromMemorySegment(F, ALL, at(b + 4L * c), ORDER);
      normal.fma(weight, bias).intoMemorySegment(ALL, at(y + 4L * c), ORDER);
    }
    for (; c < n; c++) {
      Floats.set(y, c, Math.fma((Floats.get(x, c) - mean) * rstd, Floats.get(w, c), Floats.get(b, c)));
    }
  }

  /**
   * dx = rstd (dn - avg(dn) - n avg(dn n)) with n = (x - mean) rstd, dn = dy w; adds dy n to the sums at {@code dw} and
   * dy to those at {@code db}.
   */
  static void gradient(long dy, long x, long dx, int n, long w, float mean, float rstd, long dw, long db) {
    float average = sumOfProducts(dy, w, n) / n;
    float averageOfProduct = addSums(dy, x, n, w, mean, rstd, dw, db) / n;
    gradient(dy, x, dx, n, w, mean, rstd, average, averageOfProduct);
  }

  /** The sum of dn. */
  private static float sumOfProducts(long dy, long w, int n) {
    FloatVector s0 = FloatVector.zero(F), s1 = s0;
    int c = 0;
    for (; c <= n - 2 * COUNT; c += 2 * COUNT) {
      FloatVector d0 = FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * c), ORDER);
      FloatVector d1 = FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * c + BYTES), ORDER);
      s0 = d0.fma(FloatVector.fromMemorySegment(F, ALL, at(w + 4L * c), ORDER), s0);
      s1 = d1.fma(FloatVector.fromMemorySegment(F, ALL, at(w + 4L * c + BYTES), ORDER), s1);
    }
    FloatVector s = Floats.ZERO.add(s0).add(s1);
    s = s.add(s.rearrange(Floats.BY_8));
    s = s.add(s.rearrange(Floats.BY_4));
    s = s.add(s.rearrange(Floats.BY_2));
    float sum = s.add(s.rearrange(Floats.BY_1)).lane(0) * Floats.TURNED;
    for (; c < n; c++) sum = Math.fma(Floats.get(dy, c), Floats.get(w, c), sum);
    return sum;
  }

  /** The sum of dn n; adds to the sums of dw and db. */
  private static float addSums(long dy, long x, int n, long w, float mean, float rstd, long dw, long db) {
    FloatVector s = FloatVector.zero(F);
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * c), ORDER);
      FloatVector product = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER).sub(mean).mul(rstd).mul(d);
      s = product.fma(FloatVector.fromMemorySegment(F, ALL, at(w + 4L * c), ORDER), s);
      FloatVector weights = FloatVector.fromMemorySegment(F, ALL, at(dw + 4L * c), ORDER);
      FloatVector biases = FloatVector.fromMemorySegment(F, ALL, at(db + 4L * c), ORDER);
      weights.add(product).intoMemorySegment(ALL, at(dw + 4L * c), ORDER);
      biases.add(d).intoMemorySegment(ALL, at(db + 4L * c), ORDER);
    }
    s = Floats.ZERO.add(s);
    s = s.add(s.rearrange(Floats.BY_8));
    s = s.add(s.rearrange(Floats.BY_4));
    s = s.add(s.rearrange(Floats.BY_2));
    float sum = s.add(s.rearrange(Floats.BY_1)).lane(0) * Floats.TURNED;
    for (; c < n; c++) {
      float d = Floats.get(dy, c), product = (Floats.get(x, c) - mean) * rstd * d;
      sum = Math.fma(product, Floats.get(w, c), sum);
      Floats.set(dw, c, Floats.get(dw, c) + product);
      Floats.set(db, c, Floats.get(db, c) + d);
    }
    return sum;
  }

  private static void gradient(long dy, long x, long dx, int n, long w, float mean, float rstd, float average,
      float averageOfProduct) {
    FloatVector slope = FloatVector.broadcast(F, -averageOfProduct);
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector normal = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER).sub(mean).mul(rstd);
      FloatVector weight = FloatVector.fromMemorySegment(F, ALL, at(w + 4L * c), ORDER);
      FloatVector dn = FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * c), ORDER).mul(weight).sub(average);
      normal.fma(slope, dn).mul(rstd).intoMemorySegment(ALL, at(dx + 4L * c), ORDER);
    }
    for (; c < n; c++) {
      float normal = (Floats.get(x, c) - mean) * rstd, dn = Floats.get(dy, c) * Floats.get(w, c) - average;
      Floats.set(dx, c, Math.fma(normal, -averageOfProduct, dn) * rstd);
    }
  }
}
