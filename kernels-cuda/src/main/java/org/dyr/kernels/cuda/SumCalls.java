package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.ClipFactor;
import org.dyr.tensor.Spec;

/** The kernels of {@code sums.cu}. */
final class SumCalls {
  private SumCalls() {}

  /** Bytes of the partial sums over all elements. */
  static long scratch(Spec x) {
    return CudaCalls.sumScratch(x.shape().size());
  }

  /** Bytes of the partial sums over rows. */
  static long rowsScratch(Spec x) {
    return CudaCalls.sumRowsScratch(x.shape().rows(), x.shape().last());
  }

  /** y (1) = the sum of x. */
  static Kernel all(Binding o) {
    int type = o.type();
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.sum(type, x, y, partial, n, stream));
  }

  /** y (1) = the sum of the squares of x. */
  static Kernel squares(Binding o) {
    int type = o.type();
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.sumSquares(type, x, y, partial, n, stream));
  }

  /** y (1) = 1 when all of x is finite, else 0. */
  static Kernel finite(Binding o) {
    int type = o.type();
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.allFinite(type, x, y, partial, n, stream));
  }

  /** y (C) = the sum over rows of x (R,C). */
  static Kernel rows(Binding o) {
    int type = o.type(), rows = o.rows(), columns = o.columns();
    long x = o.in(0), y = o.out(0), partial = o.scratch(), stream = o.stream();
    return () -> check(CudaCalls.sumRows(type, x, y, partial, rows, columns, stream));
  }

  /** y (C) = the first row of rows (2,C) when x (1) is finite, else the second. */
  static Kernel ifFinite(Binding o) {
    int type = o.type(), columns = o.columns();
    long rows = o.in(0), x = o.in(1), y = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.ifFinite(type, rows, x, y, columns, stream));
  }

  /** Inputs n2, s; outputs factor, norm; (1) each. */
  static Kernel clipFactor(Binding o, ClipFactor op) {
    int type = o.type();
    long n2 = o.in(0), s = o.in(1), factor = o.out(0), norm = o.out(1), stream = o.stream();
    double maxNorm = op.maxNorm();
    return () -> check(CudaCalls.clipFactor(type, n2, s, factor, norm, maxNorm, stream));
  }
}
