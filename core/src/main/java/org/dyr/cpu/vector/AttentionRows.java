package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What attention does to one row of scores; rows are whole panels wide, at addresses. {@link Floats} says how loops are
 * cut.
 */
final class AttentionRows {

  private static final FloatVector LOWEST = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);

  private AttentionRows() {}

  /** s = exp(s - max) for the first {@code n}, 0 for the others up to {@code width}; returns max. */
  static float exponentials(long s, int n, int width) {
    for (int i = n; i < width; i++) Ram.set(s + 4L * i, Float.NEGATIVE_INFINITY);
    float max = max(s, width);
    VectorMath.exp(s, max, s, width);
    for (int i = n; i < width; i++) Ram.set(s + 4L * i, 0);
    return max;
  }

  private static float max(long s, int width) {
    FloatVector m = fromMemorySegment(F, ALL, at(s), ORDER);
    for (int i = COUNT; i < width; i += COUNT) m = fromMemorySegment(F, ALL, at(s + 4L * i), ORDER).max(m);
    return LOWEST.max(m).reduceLanes(VectorOperators.MAX); // in any order: a maximum is not rounded
  }

  /** The sum of a row; {@code lanes} is room for a vector, added up from there in order. */
  static float sum(long s, int width, long lanes) {
    FloatVector sum = fromMemorySegment(F, ALL, at(s), ORDER);
    for (int i = COUNT; i < width; i += COUNT) sum = fromMemorySegment(F, ALL, at(s + 4L * i), ORDER).add(sum);
    Floats.ZERO.add(sum).intoMemorySegment(ALL, at(lanes), ORDER);
    return lanes(lanes);
  }

  private static float lanes(long at) {
    float sum = 0;
    for (int i = 0; i < COUNT; i++) sum += Ram.get(at + 4L * i);
    return sum;
  }

  /** s = s f. */
  static void multiply(long s, long f, int width) {
    for (int i = 0; i < width; i += COUNT) {
      fromMemorySegment(F, ALL, at(s + 4L * i), ORDER).mul(fromMemorySegment(F, ALL, at(f + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(s + 4L * i), ORDER);
    }
  }

  /** dp = scale p (dp - delta): the gradient of scores. */
  static void scoresGrad(long p, long dp, int width, float delta, float scale) {
    for (int i = 0; i < width; i += COUNT) {
      fromMemorySegment(F, ALL, at(dp + 4L * i), ORDER).sub(delta).mul(fromMemorySegment(F, ALL, at(p + 4L * i), ORDER))
          .mul(scale)
          .intoMemorySegment(ALL, at(dp + 4L * i), ORDER);
    }
  }

  /** The dot product of two rows of {@code n}; {@code lanes} is room for a vector. */
  static float dot(long a, long b, int n, long lanes) {
    int whole = n - n % COUNT;
    float rest = 0;
    for (int i = whole; i < n; i++) rest += Ram.get(a + 4L * i) * Ram.get(b + 4L * i);
    return whole == 0 ? rest : wholeVectors(a, b, whole, lanes) + rest;
  }

  private static float wholeVectors(long a, long b, int n, long lanes) {
    FloatVector sum = fromMemorySegment(F, ALL, at(a), ORDER).mul(fromMemorySegment(F, ALL, at(b), ORDER));
    for (int i = COUNT; i < n; i += COUNT) {
      sum = fromMemorySegment(F, ALL, at(a + 4L * i), ORDER).fma(fromMemorySegment(F, ALL, at(b + 4L * i), ORDER), sum);
    }
    Floats.ZERO.add(sum).intoMemorySegment(ALL, at(lanes), ORDER);
    return lanes(lanes);
  }

  /** y += by x for {@code n} floats. */
  static void addScaled(long y, long x, float by, int n) {
    int whole = n - n % COUNT;
    for (int i = 0; i < whole; i += COUNT) {
      fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).mul(by).add(fromMemorySegment(F, ALL, at(y + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
    for (int i = whole; i < n; i++) Ram.set(y + 4L * i, by * Ram.get(x + 4L * i) + Ram.get(y + 4L * i));
  }

  /** y = by x for {@code n} floats. */
  static void scaled(long x, float by, long y, int n) {
    int whole = n - n % COUNT;
    for (int i = 0; i < whole; i += COUNT) {
      fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).mul(by).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
    for (int i = whole; i < n; i++) Ram.set(y + 4L * i, by * Ram.get(x + 4L * i));
  }

  /** x = by x for {@code n} floats. */
  static void scale(long x, long n, float by) {
    long end = x + 4 * n;
    for (; x <= end - BYTES; x += BYTES) {
      fromMemorySegment(F, ALL, at(x), ORDER).mul(by).intoMemorySegment(ALL, at(x), ORDER);
    }
    for (; x < end; x += 4) Ram.set(x, by * Ram.get(x));
  }
}
