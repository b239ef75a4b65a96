package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
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

  /** Doubles to a vector of the kernels' one width: a vector of floats makes two. */
  private static final VectorSpecies<Double> D = F.withLanes(double.class);
  private static final DoubleVector ZERO = DoubleVector.zero(D);

  /** Doubles between the buffers of two workers, so that they share no cache line. */
  private static final int BUFFER = 16;

  private final long x;       // (N)
  private final long y;       // (1)
  private final long partial; // (chunks), double
  private final long size;
  private final int chunks;
  private final double[] lanes; // (workers, BUFFER)
  private final Workers workers;
  private final Workers.Task task = this::share;

  SumSquaresKernel(SumSquares op, Operands o, Workers workers) {
    this.workers = workers;
    x = o.inputs()[0].address();
    y = o.outputs()[0].address();
    partial = o.scratch().address();
    size = o.in()[0].shape().size();
    chunks = chunks(size);
    lanes = new double[workers.count() * BUFFER];
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
    for (int c = 0; c < chunks; c++) sum += ALL.get(JAVA_DOUBLE, at(partial + 8L * c));
    Ram.set(y, (float) sum);
  }

  private void share(int worker) {
    int count = chunks == 1 ? 1 : workers.count();
    int end = Workers.begin(chunks, worker + 1, count);
    for (int c = Workers.begin(chunks, worker, count); c < end; c++) {
      long from = (long) c * CHUNK;
      double sum = sum(x + 4 * from, (int) Math.min(CHUNK, size - from), worker * BUFFER);
      ALL.set(JAVA_DOUBLE, at(partial + 8L * c), sum);
    }
  }

  private double sum(long x, int n, int buffer) {
    DoubleVector s0 = DoubleVector.zero(D), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i <= n - 2 * COUNT; i += 2 * COUNT) {
      long p = at(x + 4L * i);
      FloatVector a = fromMemorySegment(F, ALL, p, ORDER), b = fromMemorySegment(F, ALL, p + BYTES, ORDER);
      DoubleVector a0 = ZERO.add(a.convertShape(VectorOperators.F2D, D, 0));
      DoubleVector a1 = ZERO.add(a.convertShape(VectorOperators.F2D, D, 1));
      DoubleVector b0 = ZERO.add(b.convertShape(VectorOperators.F2D, D, 0));
      DoubleVector b1 = ZERO.add(b.convertShape(VectorOperators.F2D, D, 1));
      s0 = a0.fma(a0, s0);
      s1 = a1.fma(a1, s1);
      s2 = b0.fma(b0, s2);
      s3 = b1.fma(b1, s3);
    }
    ZERO.add(s0).add(s1).add(s2).add(s3).intoArray(lanes, buffer);
    double sum = 0;
    for (int lane = 0; lane < D.length(); lane++) sum += lanes[buffer + lane]; // in order, unlike reduceLanes
    for (; i < n; i++) sum += (double) Floats.get(x, i) * Floats.get(x, i);
    return sum;
  }
}
