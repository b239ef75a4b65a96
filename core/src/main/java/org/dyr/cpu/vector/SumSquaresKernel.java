package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.DoubleVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.SumSquares;
import org.dyr.tensor.Spec;

/**
 * y = sum x^2, x (N), added up in double. Each chunk of a fixed size has a sum of its own, and the sums are added in
 * order: the result is the same for any number of workers. Reads 4N bytes: bandwidth-bound.
 */
final class SumSquaresKernel implements Kernel {

  private static final int CHUNK = 1 << 13;

  private final MemorySegment x;       // (N)
  private final MemorySegment y;       // (1)
  private final MemorySegment partial; // (chunks), double
  private final long size;
  private final int chunks;
  private final double[] lanes; // (workers, BUFFER)
  private final Workers workers;
  private final Workers.Task task = this::share;

  SumSquaresKernel(SumSquares op, Operands o, Workers workers) {
    this.workers = workers;
    x = o.inputs()[0].segment();
    y = o.outputs()[0].segment();
    partial = o.scratch().segment();
    size = o.in()[0].shape().size();
    chunks = chunks(size);
    lanes = new double[workers.count() * Widened.BUFFER];
  }

  static long scratchBytes(SumSquares op, Spec[] in) {
    return 8L * chunks(in[0].shape().size());
  }

  private static int chunks(long size) {
    return Math.toIntExact(Math.ceilDiv(size, (long) CHUNK));
  }

  @Override public void launch() {
    if (chunks == 1) share(0);
    else workers.run(task);
    double sum = 0;
    for (int c = 0; c < chunks; c++) sum += partial.getAtIndex(ValueLayout.JAVA_DOUBLE, c);
    y.set(ValueLayout.JAVA_FLOAT, 0, (float) sum);
  }

  private void share(int worker) {
    int count = chunks == 1 ? 1 : workers.count();
    int end = Workers.begin(chunks, worker + 1, count);
    for (int c = Workers.begin(chunks, worker, count); c < end; c++) {
      long from = (long) c * CHUNK;
      int n = (int) Math.min(CHUNK, size - from);
      partial.setAtIndex(ValueLayout.JAVA_DOUBLE, c, chunk(from, n, worker * Widened.BUFFER));
    }
  }

  private double chunk(long from, int n, int buffer) {
    long base = 4 * from;
    int step = Widened.COUNT;
    DoubleVector s0 = DoubleVector.zero(Widened.D), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i <= n - 4 * step; i += 4 * step) {
      long at = base + 4L * i;
      DoubleVector a = Widened.widen(Widened.load(x, at));
      DoubleVector b = Widened.widen(Widened.load(x, at + 4L * step));
      DoubleVector c = Widened.widen(Widened.load(x, at + 8L * step));
      DoubleVector d = Widened.widen(Widened.load(x, at + 12L * step));
      s0 = a.fma(a, s0);
      s1 = b.fma(b, s1);
      s2 = c.fma(c, s2);
      s3 = d.fma(d, s3);
    }
    for (; i <= n - step; i += step) {
      DoubleVector a = Widened.widen(Widened.load(x, base + 4L * i));
      s0 = a.fma(a, s0);
    }
    s0.add(s1).add(s2.add(s3)).intoArray(lanes, buffer);
    double sum = Widened.sum(lanes, buffer);
    for (; i < n; i++) {
      double a = x.get(ValueLayout.JAVA_FLOAT, base + 4L * i);
      sum += a * a;
    }
    return sum;
  }
}
