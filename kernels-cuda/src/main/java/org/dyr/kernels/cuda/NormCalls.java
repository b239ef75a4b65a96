package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.KeepingOp;
import org.dyr.op.Philox;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** The kernels of {@code norm.cu} and {@code norm_gradient.cu}. */
final class NormCalls {
  /** The floats that fill the shared memory that every block may have. */
  private static final int SHARED_FLOATS = 12_288;

  /** Blocks that add up dw, db and dbias, of 4 rows at least: four a multiprocessor of an H100, all at once. */
  private static final int MOST_BLOCKS = 528;
  private static final int BLOCK_ROWS = 4;

  private NormCalls() {}

  /** Whether a block has room for such rows, or for the sums over them. */
  static boolean fits(Spec x, int sums) {
    return x.shape().last() <= SHARED_FLOATS / sums;
  }

  /** How many sums over rows the gradient takes. */
  static int sums(DropoutAddLayerNorm.Grad op) {
    return op.bias() ? 3 : 2;
  }

  /** Whether the tables are as they are trained, and as many as BERT has. */
  static boolean embeds(EmbeddingLayerNorm op, Spec[] in) {
    return op.tables() <= 3 && in[0].type() == DType.F32 && op.to().orElse(DType.F32) != DType.F64 && fits(in[0], 2);
  }

  /** What a kernel is told of dropout; without it, addresses of 0. */
  private record Drop(long random, long sequence, long position, int site, int threshold, float keep) {
    static final Drop NONE = new Drop(0, 0, 0, 0, 0, 1);

    /** @param first where random, sequence and position stand among the inputs */
    static Drop of(Binding o, int first, double probability, int site) {
      return new Drop(o.in(first), o.in(first + 1), o.in(first + 2), Philox.site(site, 0),
          Philox.threshold(probability), (float) Philox.scale(probability));
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
    return norm(o, 0, 0, new Weights(o.in(1), o.in(2)), new Kept(0, o.out(1), o.out(2)), Drop.NONE, eps);
  }

  /**
   * Inputs x, residual (R,C), w, b (C) [random, sequence, position] [bias (C)]; outputs y (R,C) [h (R,C), mean, rstd
   * (R)].
   */
  static Kernel dropoutAddLayerNorm(Binding o, DropoutAddLayerNorm op) {
    Drop d = op.probability() > 0 ? Drop.of(o, 4, op.probability(), op.site()) : Drop.NONE;
    return norm(o, op.bias() ? o.in(op.biasInput()) : 0, o.in(1), new Weights(o.in(2), o.in(3)), Kept.of(o, op), d,
        op.eps());
  }

  private record Weights(long w, long b) {}

  /** Where h, mean and rstd go, 0 where they are not kept. */
  private record Kept(long h, long mean, long rstd) {
    static Kept of(Binding o, KeepingOp op) {
      return op.kept() ? new Kept(o.out(1), o.out(2), o.out(3)) : new Kept(0, 0, 0);
    }
  }

  private static Kernel norm(Binding o, long bias, long residual, Weights of, Kept kept, Drop d, double eps) {
    int type = o.type(), rows = o.rows(), columns = o.columns();
    long x = o.in(0), y = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.dropoutAddLayerNorm(type, x, bias, residual, of.w, of.b, d.random, d.sequence,
        d.position, d.site, d.threshold, d.keep, y, kept.h, kept.mean, kept.rstd, rows, columns, (float) eps, stream));
  }

  /**
   * Inputs two or three tables (V,C), each with its index (T), then w, b (C); outputs y (T,C) [h (T,C), mean, rstd
   * (T)].
   */
  static Kernel embeddingLayerNorm(Binding o, EmbeddingLayerNorm op) {
    Spec to = o.operands().out()[0];
    int type = Binding.number(to.type()), rows = to.shape().rows(), columns = o.columns(), w = 2 * op.tables();
    long table0 = o.in(0), index0 = o.in(1), table1 = o.in(2), index1 = o.in(3);
    long table2 = op.tables() == 3 ? o.in(4) : 0, index2 = op.tables() == 3 ? o.in(5) : 0;
    long y = o.out(0), stream = o.stream();
    Weights of = new Weights(o.in(w), o.in(w + 1));
    Kept kept = Kept.of(o, op);
    return () -> check(CudaCalls.embeddingLayerNorm(type, table0, index0, table1, index1, table2, index2, of.w, of.b, y,
        kept.h, kept.mean, kept.rstd, rows, columns, (float) op.eps(), stream));
  }

  private static int blocks(Spec x) {
    return Math.clamp(Math.ceilDiv(x.shape().rows(), BLOCK_ROWS), 1, MOST_BLOCKS);
  }

  /** Bytes of each block's sums. */
  static long gradScratch(Spec dy, int sums) {
    return (long) sums * Float.BYTES * blocks(dy) * dy.shape().last();
  }

  /** Inputs dy, x (R,C), w (C), mean, rstd (R); outputs dx (R,C), dw, db (C). */
  static Kernel layerNormGrad(Binding o) {
    return normGrad(o, 0, o.out(1), o.out(2), 0, Drop.NONE);
  }

  /**
   * Inputs dy, h (R,C), w (C), mean, rstd (R) [random, sequence, position]; outputs dx, dresidual (R,C), dw, db
   * [dbias] (C).
   */
  static Kernel dropoutAddLayerNormGrad(Binding o, DropoutAddLayerNorm.Grad op) {
    Drop d = op.probability() > 0 ? Drop.of(o, 5, op.probability(), op.site()) : Drop.NONE;
    return normGrad(o, o.out(1), o.out(2), o.out(3), op.bias() ? o.out(4) : 0, d);
  }

  private static Kernel normGrad(Binding o, long dresidual, long dw, long db, long dbias, Drop d) {
    int type = o.type(), rows = o.rows(), columns = o.columns(), blocks = blocks(o.operands().in()[0]);
    long dy = o.in(0), x = o.in(1), w = o.in(2), mean = o.in(3), rstd = o.in(4), dx = o.out(0), partial = o.scratch(),
        stream = o.stream();
    return () -> check(CudaCalls.dropoutAddLayerNormGrad(type, dy, x, w, mean, rstd, d.random, d.sequence, d.position,
        d.site, d.threshold, d.keep, dx, dresidual, dw, db, dbias, partial, blocks, rows, columns, stream));
  }
}
