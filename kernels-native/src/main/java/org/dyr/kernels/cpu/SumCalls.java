package org.dyr.kernels.cpu;

import org.dyr.device.Kernel;
import org.dyr.op.ClipFactor;
import org.dyr.tensor.Spec;

/** The kernels of {@code sums.h}. */
final class SumCalls {
  private SumCalls() {}

  /** Bytes of the partial sums of all kernels but {@link #rows}: a double a chunk. */
  static long scratchBytes(Spec x) {
    return 8 * Binding.chunkCount(x);
  }

  /** y[c] = sum over rows of x[r,c]. */
  static Kernel rows(Binding o) {
    int isa = o.isa, type = o.type, rows = o.rows(), columns = o.columns();
    long x = o.in(0), partial = o.scratch();
    return o.rowChunks(partial, (from, to, _) -> NativeCalls.sumRows(isa, type, x, partial, from, to, rows, columns),
        o.out(0));
  }

  /** y = the sum of all elements. */
  static Kernel all(Binding o) {
    int isa = o.isa, type = o.type;
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(),
        chunks = Binding.chunkCount(o.operands.in()[0]);
    return o.chunks((from, to, _) -> NativeCalls.sumChunks(isa, type, x, partial, from, to, n),
        () -> NativeCalls.foldSum(isa, type, partial, y, chunks));
  }

  /** y = the sum of all squares. */
  static Kernel squares(Binding o) {
    int isa = o.isa, type = o.type;
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(),
        chunks = Binding.chunkCount(o.operands.in()[0]);
    return o.chunks((from, to, _) -> NativeCalls.squareChunks(isa, type, x, partial, from, to, n),
        () -> NativeCalls.foldSum(isa, type, partial, y, chunks));
  }

  /** y = 1 when all elements are finite, else 0. */
  static Kernel finite(Binding o) {
    int isa = o.isa, type = o.type;
    long x = o.in(0), y = o.out(0), partial = o.scratch(), n = o.size(),
        chunks = Binding.chunkCount(o.operands.in()[0]);
    return o.chunks((from, to, _) -> NativeCalls.finiteChunks(isa, type, x, partial, from, to, n),
        () -> NativeCalls.foldFinite(isa, type, partial, y, chunks));
  }

  /** Inputs n2, s; outputs factor, norm; (1) each. */
  static Kernel clipFactor(Binding o, ClipFactor op) {
    int isa = o.isa, type = o.type;
    long n2 = o.in(0), s = o.in(1), factor = o.out(0), norm = o.out(1);
    double maxNorm = op.maxNorm();
    return () -> NativeCalls.clipFactor(isa, type, n2, s, factor, norm, maxNorm);
  }
}
