package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;

/**
 * The sums and products of single elements: c = a + b (c may be a), y = x + bias, y = s x, y = s. Each worker takes one
 * stretch of the elements, for {@link #addBias} of the rows. One multiply-add or less for 4 to 12 bytes: bound by
 * memory.
 */
final class ElementwiseVector {
  private ElementwiseVector() {}

  /** c = a + b. Inputs a, b. */
  static Kernel add(Workers workers, Operands o) {
    MemorySegment a = o.inputs()[0].segment(), b = o.inputs()[1].segment(), c = o.outputs()[0].segment();
    long n = o.in()[0].shape().size();
    return split(workers, n, (w, from, to) -> add(a, from, b, from, c, to - from));
  }

  /** y = x + b, row by row. Inputs x (R,C), b (C). */
  static Kernel addBias(Workers workers, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), b = o.inputs()[1].segment(), y = o.outputs()[0].segment();
    int rows = o.in()[0].shape().rows(), columns = o.in()[0].shape().last();
    Workers.Task task = w -> {
      int end = Workers.begin(rows, w + 1, workers.count());
      for (int r = Workers.begin(rows, w, workers.count()); r < end; r++) {
        add(x, (long) r * columns, b, 0, y, columns);
      }
    };
    return () -> workers.run(task);
  }

  /** y = s x. Inputs x, s (1). */
  static Kernel scale(Workers workers, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), s = o.inputs()[1].segment(), y = o.outputs()[0].segment();
    long n = o.in()[0].shape().size();
    return split(workers, n, (w, from, to) -> scale(x, Floats.get(s, 0), y, from, to));
  }

  /** y = x everywhere. Input x (1). */
  static Kernel broadcast(Workers workers, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), y = o.outputs()[0].segment();
    long n = o.out()[0].shape().size();
    return split(workers, n, (w, from, to) -> fill(Floats.get(x, 0), y, from, to));
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

  /** c[at + i] = a[at + i] + b[bAt + i] for i below n. */
  static void add(MemorySegment a, long at, MemorySegment b, long bAt, MemorySegment c, long n) {
    long i = 0;
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      Floats.store(Floats.load(a, at + i).add(Floats.load(b, bAt + i)), c, at + i);
    }
    for (; i < n; i++) Floats.set(c, at + i, Floats.get(a, at + i) + Floats.get(b, bAt + i));
  }

  /** y[at + i] = x[at + i] for i below n. */
  static void copy(MemorySegment x, MemorySegment y, long at, int n) {
    MemorySegment.copy(x, at << 2, y, at << 2, (long) n << 2);
  }

  private static void scale(MemorySegment x, float s, MemorySegment y, long from, long to) {
    long i = from;
    for (; i <= to - Lanes.COUNT; i += Lanes.COUNT) Floats.store(Floats.load(x, i).mul(s), y, i);
    for (; i < to; i++) Floats.set(y, i, Floats.get(x, i) * s);
  }

  /** One by one: where the compiler does not follow a vector into the loop, it would make an object of it. */
  static void fill(float value, MemorySegment y, long from, long to) {
    for (long i = from; i < to; i++) Floats.set(y, i, value);
  }
}
