package org.dyr.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Gemm;
import org.dyr.tensor.Shape;

/**
 * c = op(a) op(b) [+ bias] [+ residual], fp32, by one single-threaded sgemm a worker over its own part of c: OpenBLAS
 * starts no threads of its own beside ours. The longer side of c is divided. Bias and residual are laid into c first,
 * and sgemm adds to it. Compute-bound: 2 M N K operations.
 */
final class OpenBlasGemm implements Kernel {
  private static final int LINE = 16;

  /**
   * Multiply-adds that the smallest part must have. Products of up to 10^6 go through other kernels of OpenBLAS, which
   * round otherwise: with more in every part, a result does not depend on the number of workers.
   */
  private static final long LEAST = 1 << 20;

  private final Workers workers;
  private final Workers.Task task = this::part;
  private final int m;
  private final int n;
  private final int k;
  private final int lda;
  private final int ldb;
  private final int transposeA;
  private final int transposeB;
  private final int parts;
  private final boolean byRows;
  private final float beta;
  private final boolean inPlace;
  private final MemorySegment c;
  private final MemorySegment bias;
  private final MemorySegment residual;
  private final FloatPointer[] as;
  private final FloatPointer[] bs;
  private final FloatPointer[] cs;

  OpenBlasGemm(Gemm op, Operands o, Workers workers) {
    this.workers = workers;
    Shape a = o.in()[0].shape(), out = o.out()[0].shape();
    m = out.dim(0);
    n = out.dim(1);
    k = a.dim(op.transposeA() ? 0 : 1);
    lda = a.dim(1);
    ldb = o.in()[1].shape().dim(1);
    transposeA = op.transposeA() ? openblas_nolapack.CblasTrans : openblas_nolapack.CblasNoTrans;
    transposeB = op.transposeB() ? openblas_nolapack.CblasTrans : openblas_nolapack.CblasNoTrans;
    byRows = m >= n || n < LINE * workers.count();
    int smallest = byRows ? m / workers.count() : n / LINE / workers.count() * LINE;
    parts = (long) smallest * (byRows ? n : m) * k < LEAST ? 1 : workers.count();
    beta = op.bias() || op.residual() ? 1 : 0;
    inPlace = op.inPlace();
    c = o.outputs()[0].segment();
    bias = op.bias() ? o.inputs()[2].segment() : null;
    residual = op.residual() && !op.inPlace() ? o.inputs()[op.residualInput()].segment() : null;
    as = new FloatPointer[parts];
    bs = new FloatPointer[parts];
    cs = new FloatPointer[parts];
    for (int w = 0; w < parts; w++) {
      int at = begin(w);
      as[w] = pointer(o.inputs()[0].address(), byRows ? at * (op.transposeA() ? 1L : lda) : 0);
      bs[w] = pointer(o.inputs()[1].address(), byRows ? 0 : at * (op.transposeB() ? (long) ldb : 1));
      cs[w] = pointer(o.outputs()[0].address(), byRows ? (long) at * n : at);
    }
  }

  /** A worker's first row or column; columns divide at cache lines. */
  private int begin(int worker) {
    if (byRows) return Workers.begin(m, worker, parts);
    return worker == parts ? n : Workers.begin(n / LINE, worker, parts) * LINE;
  }

  private static FloatPointer pointer(long address, long index) {
    return new At(address + index * Float.BYTES);
  }

  /** A pointer to memory that it does not own. */
  private static final class At extends FloatPointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  @Override public void launch() {
    if (parts == 1) part(0);
    else workers.run(task);
  }

  private void part(int worker) {
    int from = begin(worker), size = begin(worker + 1) - from;
    if (size == 0) return;
    int rows = byRows ? size : m, columns = byRows ? n : size;
    if (beta != 0) prefill(byRows ? from : 0, rows, byRows ? 0 : from, columns);
    openblas_nolapack.cblas_sgemm(openblas_nolapack.CblasRowMajor, transposeA, transposeB, rows, columns, k, 1,
        as[worker], lda, bs[worker], ldb, beta, cs[worker], n);
  }

  /** c = bias, residual, or their sum, over a part of c. */
  private void prefill(int row, int rows, int column, int columns) {
    for (int r = row; r < row + rows; r++) {
      long at = ((long) r * n + column) * Float.BYTES;
      if (residual != null) MemorySegment.copy(residual, at, c, at, (long) columns * Float.BYTES);
      if (bias == null) continue;
      if (residual == null && !inPlace) {
        MemorySegment.copy(bias, (long) column * Float.BYTES, c, at, (long) columns * Float.BYTES);
      } else {
        addBias(at, column, columns);
      }
    }
  }

  private void addBias(long at, int column, int columns) {
    for (int j = 0; j < columns; j++) {
      long place = at + (long) j * Float.BYTES;
      c.set(JAVA_FLOAT, place,
          c.get(JAVA_FLOAT, place) + bias.getAtIndex(JAVA_FLOAT, column + j));
    }
  }
}
