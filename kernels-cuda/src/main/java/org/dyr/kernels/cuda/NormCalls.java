package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.Philox;
import org.dyr.tensor.Spec;

/** The kernels of {@code norm.cu}. */
final class NormCalls {
  /** The widest rows: two of them in fp32 fill the shared memory that every block may have. */
  static final int MOST_COLUMNS = 6144;

  /** Blocks that add up dw and db, of 4 rows at a time: three a multiprocessor of an H100, all at once. */
  private static final int MOST_BLOCKS = 396;
  private static final int BLOCK_ROWS = 4;

  private NormCalls() {}

  /** What a kernel is told of dropout; without it, addresses of 0. */
  private record Drop(long random, long sequence, long position, int site, int threshold, float keep) {
    static final Drop NONE = new Drop(0, 0, 0, 0, 0, 1);

    /** @param first where random, sequence and position stand among the inputs */
    static Drop of(Binding o, int first, double probability, int site) {
      return new Drop(o.in(first), o.in(first + 1), o.in(first + 2), Philox.site(site, 0),
          Philox.threshold(probability), (float) (1 / (1 - probability)));
    }
  }

  /** Inputs x (R,C), random, sequence, position. */
  static Kernel dropout(Binding o, Dropout op) {
    int type = o.type(), rows = o.rows(), columns = o.columns();
    long x = o.in(0), y = o.out(0), stream = o.stream();
    Drop d = Drop.of(o, 1, op.probability(), op.site());
    return () -> check(CudaCalls.dropout(type, x, y, d.random, d.sequence, d.position, d.site, d.threshold, d.keep,
        rows, columns, stream));
  }

  /** Inputs x (R,C), w, b (C); outputs y (R,C), mean, rstd (R). */
  static Kernel layerNorm(Binding o, double eps) {
    return norm(o, o.in(1), o.in(2), 0, 0, o.out(1), o.out(2), Drop.NONE, eps);
  }

  /** Inputs x, residual (R,C), w, b (C) [random, sequence, position]; outputs y (R,C) [h (R,C), mean, rstd (R)]. */
  static Kernel dropoutAddLayerNorm(Binding o, DropoutAddLayerNorm op) {
    Drop d = op.probability() > 0 ? Drop.of(o, 4, op.probability(), op.site()) : Drop.NONE;
    boolean kept = op.kept();
    return norm(o, o.in(2), o.in(3), o.in(1), kept ? o.out(1) : 0, kept ? o.out(2) : 0, kept ? o.out(3) : 0, d, op.eps());
  }

  private static Kernel norm(Binding o, long w, long b, long residual, long h, long mean, long rstd, Drop d,
      double eps) {
    int type = o.type(), rows = o.rows(), columns = o.columns();
    long x = o.in(0), y = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.dropoutAddLayerNorm(type, x, residual, w, b, d.random, d.sequence, d.position, d.site,
        d.threshold, d.keep, y, h, mean, rstd, rows, columns, (float) eps, stream));
  }

  private static int blocks(Spec x) {
    return Math.clamp(Math.ceilDiv(x.shape().rows(), BLOCK_ROWS), 1, MOST_BLOCKS);
  }

  /** Bytes of the sums of dw and db of each block. */
  static long gradScratch(Spec dy) {
    return 2L * Float.BYTES * blocks(dy) * dy.shape().last();
  }

  /** Inputs dy, x (R,C), w (C), mean, rstd (R); outputs dx (R,C), dw, db (C). */
  static Kernel layerNormGrad(Binding o) {
    return normGrad(o, 0, o.out(1), o.out(2), Drop.NONE);
  }

  /**
   * Inputs dy, h (R,C), w (C), mean, rstd (R) [random, sequence, position]; outputs dx, dresidual (R,C), dw, db (C).
   */
  static Kernel dropoutAddLayerNormGrad(Binding o, DropoutAddLayerNorm.Grad op) {
    Drop d = op.probability() > 0 ? Drop.of(o, 5, op.probability(), op.site()) : Drop.NONE;
    return normGrad(o, o.out(1), o.out(2), o.out(3), d);
  }

  private static Kernel normGrad(Binding o, long dresidual, long dw, long db, Drop d) {
    int type = o.type(), rows = o.rows(), columns = o.columns(), blocks = blocks(o.operands().in()[0]);
    long dy = o.in(0), x = o.in(1), w = o.in(2), mean = o.in(3), rstd = o.in(4), dx = o.out(0), partial = o.scratch(),
        stream = o.stream();
    return () -> check(CudaCalls.dropoutAddLayerNormGrad(type, dy, x, w, mean, rstd, d.random, d.sequence, d.position,
        d.site, d.threshold, d.keep, dx, dresidual, dw, db, partial, blocks, rows, columns, stream));
  }
}
