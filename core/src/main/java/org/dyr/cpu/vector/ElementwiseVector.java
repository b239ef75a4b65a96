package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;

/**
 * The sums and products of single elements: c = a + b (c may be a), y = x + bias, y = s x, y = s. Each worker takes one
 * stretch of the elements, for the bias one of the rows. At most one operation for 4 to 12 bytes: bound by memory.
 */
final class ElementwiseVector {
  private ElementwiseVector() {}

  /** c = a + b. Inputs a, b. */
  static Kernel add(Workers workers, Operands o) {
    long a = o.inputs()[0].address(), b = o.inputs()[1].address(), c = o.outputs()[0].address();
    return split(workers, o.in()[0].shape().size(),
        (w, from, to) -> add(a + 4 * from, b + 4 * from, c + 4 * from, to - from));
  }

  /** y = x + b, row by row. Inputs x (R,C), b (C). */
  static Kernel addBias(Workers workers, Operands o) {
    long x = o.inputs()[0].address(), b = o.inputs()[1].address(), y = o.outputs()[0].address();
    int columns = o.in()[0].shape().last();
    return rows(workers, o.in()[0].shape().rows(), (w, row) -> {
      long at = 4 * row * columns;
      add(x + at, b, y + at, columns);
    });
  }

  /** y = s x. Inputs x, s (1). */
  static Kernel scale(Workers workers, Operands o) {
    long x = o.inputs()[0].address(), s = o.inputs()[1].address(), y = o.outputs()[0].address();
    return split(workers, o.in()[0].shape().size(),
        (w, from, to) -> scale(x + 4 * from, Ram.get(s), y + 4 * from, to - from));
  }

  /** y = x everywhere. Input x (1). */
  static Kernel broadcast(Workers workers, Operands o) {
    long x = o.inputs()[0].address(), y = o.outputs()[0].address();
    return split(workers, o.out()[0].shape().size(), (w, from, to) -> fill(Ram.get(x), y + 4 * from, to - from));
  }

  /** The elements from {@code from} to before {@code to}. */
  @FunctionalInterface
  interface Stretch {
    void run(int worker, long from, long to);
  }

  /** Each worker takes one stretch of n elements. */
  static Kernel split(Workers workers, long n, Stretch stretch) {
    Workers.Task task = w -> {
      long from = Floats.begin(n, w, workers.count()), to = Floats.begin(n, w + 1, workers.count());
      if (from < to) stretch.run(w, from, to);
    };
    return () -> workers.run(task);
  }

  /** Work on one row. */
  @FunctionalInterface
  interface Row {
    void run(int worker, long row);
  }

  /** Each worker takes neighbouring rows. */
  static Kernel rows(Workers workers, int rows, Row each) {
    Workers.Task task = w -> {
      int end = Workers.begin(rows, w + 1, workers.count());
      for (int row = Workers.begin(rows, w, workers.count()); row < end; row++) each.run(w, row);
    };
    return () -> workers.run(task);
  }

  /** c = a + b over n floats. */
  static void add(long a, long b, long c, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, at(a + 4 * i), ORDER);
      v.add(FloatVector.fromMemorySegment(F, ALL, at(b + 4 * i), ORDER)).intoMemorySegment(ALL, at(c + 4 * i), ORDER);
    }
    for (; i < n; i++) Floats.set(c, i, Floats.get(a, i) + Floats.get(b, i));
  }

  private static void scale(long x, float s, long y, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector.fromMemorySegment(F, ALL, at(x + 4 * i), ORDER).mul(s).intoMemorySegment(ALL, at(y + 4 * i), ORDER);
    }
    for (; i < n; i++) Floats.set(y, i, Floats.get(x, i) * s);
  }

  /** y = value over n floats. */
  static void fill(float value, long y, long n) {
    FloatVector v = FloatVector.broadcast(F, value);
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) v.intoMemorySegment(ALL, at(y + 4 * i), ORDER);
    for (; i < n; i++) Floats.set(y, i, value);
  }

  /** y = x over n floats. */
  static void copy(long x, long y, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      FloatVector.fromMemorySegment(F, ALL, at(x + 4 * i), ORDER).intoMemorySegment(ALL, at(y + 4 * i), ORDER);
    }
    for (; i < n; i++) Floats.set(y, i, Floats.get(x, i));
  }
}
