package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** What attention does to one row of scores; rows are whole panels wide, at addresses. */
final class AttentionRows {

  private AttentionRows() {}

  /** The largest of the first {@code n}. */
  static float max(long s, int n) {
    FloatVector max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    long end = s + 4L * n;
    for (; s <= end - BYTES; s += BYTES) max = max.max(fromMemorySegment(F, ALL, s, ORDER));
    if (s < end) {
      VectorMask<Float> tail = F.indexInRange(0, (end - s) / 4);
      max = max.lanewise(VectorOperators.MAX, fromMemorySegment(F, ALL, s, ORDER, tail), tail);
    }
    return max.reduceLanes(VectorOperators.MAX);
  }

  /** s = exp(scale s - max) for the first {@code n}, 0 for the others up to {@code width}; returns the sum. */
  static float exponentials(long s, int n, int width, float scale, float max) {
    FloatVector sum = FloatVector.zero(F), by = FloatVector.broadcast(F, scale), minus = FloatVector.broadcast(F, -max);
    for (int i = 0; i < width; i += Lanes.COUNT) {
      FloatVector x = fromMemorySegment(F, ALL, s + 4L * i, ORDER).fma(by, minus).min(0);
      FloatVector e = VectorMath.expNotPositive(x);
      if (i > n - Lanes.COUNT) e = FloatVector.zero(F).blend(e, F.indexInRange(i, n));
      e.intoMemorySegment(ALL, s + 4L * i, ORDER);
      sum = sum.add(e);
    }
    return Floats.sum(sum);
  }

  /** s = exp(scale s - log): probabilities once more, from the logarithm of their sum. */
  static void probabilities(long s, int width, float scale, float log) {
    FloatVector by = FloatVector.broadcast(F, scale), minus = FloatVector.broadcast(F, -log);
    for (int i = 0; i < width; i += Lanes.COUNT) {
      FloatVector x = fromMemorySegment(F, ALL, s + 4L * i, ORDER).fma(by, minus).min(0);
      VectorMath.expNotPositive(x).intoMemorySegment(ALL, s + 4L * i, ORDER);
    }
  }

  /** s = s f. */
  static void multiply(long s, long f, int width) {
    for (int i = 0; i < width; i += Lanes.COUNT) {
      fromMemorySegment(F, ALL, s + 4L * i, ORDER).mul(fromMemorySegment(F, ALL, f + 4L * i, ORDER))
          .intoMemorySegment(ALL, s + 4L * i, ORDER);
    }
  }

  /** dp = scale p (dp - delta): the softmax's gradient, where nothing was dropped. */
  static void softmaxGrad(long p, long dp, int width, float delta, float scale) {
    for (int i = 0; i < width; i += Lanes.COUNT) {
      fromMemorySegment(F, ALL, dp + 4L * i, ORDER).sub(delta).mul(fromMemorySegment(F, ALL, p + 4L * i, ORDER)).mul(scale)
          .intoMemorySegment(ALL, dp + 4L * i, ORDER);
    }
  }

  /** dp = scale p (f dp - delta), then p = f p: the same behind dropout, leaving the probabilities that went on. */
  static void softmaxGrad(long p, long dp, long f, int width, float delta, float scale) {
    for (int i = 0; i < width; i += Lanes.COUNT) {
      FloatVector factor = fromMemorySegment(F, ALL, f + 4L * i, ORDER), x = fromMemorySegment(F, ALL, p + 4L * i, ORDER);
      fromMemorySegment(F, ALL, dp + 4L * i, ORDER).mul(factor).sub(delta).mul(x).mul(scale)
          .intoMemorySegment(ALL, dp + 4L * i, ORDER);
      x.mul(factor).intoMemorySegment(ALL, p + 4L * i, ORDER);
    }
  }

  /** The dot product of two rows of {@code n}. */
  static float dot(long a, long b, int n) {
    int whole = n - n % Lanes.COUNT;
    float rest = 0;
    for (int i = whole; i < n; i++) rest += Ram.get(a + 4L * i) * Ram.get(b + 4L * i);
    return whole == 0 ? rest : wholeVectors(a, b, whole) + rest;
  }

  /** Apart: where rows are shorter than a vector, the compiler has only seen the sum begin, and would keep it on the heap. */
  private static float wholeVectors(long a, long b, int n) {
    FloatVector sum = FloatVector.zero(F);
    for (int i = 0; i < n; i += Lanes.COUNT) {
      sum = fromMemorySegment(F, ALL, a + 4L * i, ORDER).fma(fromMemorySegment(F, ALL, b + 4L * i, ORDER), sum);
    }
    return Floats.sum(sum);
  }

  /** x = by x for a row of {@code n}. */
  static void scale(long x, int n, float by) {
    int i = 0;
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      fromMemorySegment(F, ALL, x + 4L * i, ORDER).mul(by).intoMemorySegment(ALL, x + 4L * i, ORDER);
    }
    for (; i < n; i++) Ram.set(x + 4L * i, by * Ram.get(x + 4L * i));
  }
}
