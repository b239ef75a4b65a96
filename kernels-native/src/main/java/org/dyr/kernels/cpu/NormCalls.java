package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.LayerNorm;
import org.dyr.op.Philox;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** The kernels of {@code norm.h}. */
final class NormCalls {
  private NormCalls() {}

  /** What a kernel is told of dropout; without it, addresses of 0. */
  private record Drop(long random, long sequence, long position, int site, int threshold, float scale) {

    /** @param first where random, sequence and position stand among the inputs */
    static Drop of(Binding o, int first, double probability, int site) {
      if (probability == 0 && o.operands.inputs().length <= first) return new Drop(0, 0, 0, 0, 0, 1);
      return new Drop(o.in(first), o.in(first + 1), o.in(first + 2), Philox.site(site, 0), Philox.threshold(probability),
          (float) Philox.scale(probability));
    }
  }

  /** Inputs x (R,C), random, sequence, position. */
  static Kernel dropout(Binding o, Dropout op) {
    int isa = o.isa, type = o.type, columns = o.columns();
    long x = o.in(0), y = o.out(0);
    Drop d = Drop.of(o, 1, op.probability(), op.site());
    return o.rows((from, to, _) -> NativeCalls.dropout(isa, type, x, y, d.random, d.sequence, d.position, d.site, d.threshold,
        d.scale, from, to, columns));
  }

  /** Inputs x (R,C), w, b (C); outputs y (R,C), mean, rstd (R). */
  static Kernel layerNorm(Binding o, LayerNorm op) {
    int isa = o.isa, type = o.type, columns = o.columns();
    long x = o.in(0), w = o.in(1), b = o.in(2), y = o.out(0), mean = o.out(1), rstd = o.out(2);
    double eps = op.eps();
    return o.rows((from, to, _) -> NativeCalls.layerNorm(isa, type, x, w, b, y, mean, rstd, from, to, columns, eps));
  }

  /** Inputs dy, x (R,C), w (C), mean, rstd (R); outputs dx (R,C), dw, db (C). */
  static Kernel layerNormGrad(Binding o) {
    int isa = o.isa, type = o.type, rows = o.rows(), columns = o.columns();
    long dy = o.in(0), x = o.in(1), w = o.in(2), mean = o.in(3), rstd = o.in(4), dx = o.out(0), partial = o.scratch();
    return o.rowChunks(partial, (from, to, _) -> NativeCalls.layerNormGrad(isa, type, dy, x, w, mean, rstd, dx, partial, from,
        to, rows, columns), o.out(1), o.out(2));
  }

  /** Bytes of a row in fp32 for each worker. */
  static long rowBytes(Spec x, int workers) {
    return 4 * Binding.width(x) * workers;
  }

  /** Inputs x, residual (R,C), w, b (C) [random, sequence, position]; outputs y (R,C) [h (R,C), mean, rstd (R)]. */
  static Kernel dropoutAddLayerNorm(Binding o, DropoutAddLayerNorm op) {
    int isa = o.isa, type = o.type, columns = o.columns();
    long x = o.in(0), residual = o.in(1), w = o.in(2), b = o.in(3), scratch = o.scratch();
    long y = o.out(0), h = op.kept() ? o.out(1) : 0, mean = op.kept() ? o.out(2) : 0, rstd = op.kept() ? o.out(3) : 0;
    long bytes = rowBytes(o.operands.in()[0], 1);
    double eps = op.eps();
    Drop d = Drop.of(o, 4, op.probability(), op.site());
    return o.rows((from, to, worker) -> NativeCalls.dropoutAddLayerNorm(isa, type, x, residual, w, b, d.random, d.sequence,
        d.position, d.site, d.threshold, d.scale, y, h, mean, rstd, scratch + worker * bytes, from, to, columns, eps));
  }

  /** Inputs dy, h (R,C), w (C), mean, rstd (R) [random, sequence, position]; outputs dx, dresidual (R,C), dw, db (C). */
  static Kernel dropoutAddLayerNormGrad(Binding o, DropoutAddLayerNorm.Grad op) {
    int isa = o.isa, type = o.type, rows = o.rows(), columns = o.columns();
    long dy = o.in(0), h = o.in(1), w = o.in(2), mean = o.in(3), rstd = o.in(4), partial = o.scratch();
    long dx = o.out(0), dresidual = o.out(1);
    Drop d = Drop.of(o, 5, op.probability(), op.site());
    return o.rowChunks(partial, (from, to, _) -> NativeCalls.dropoutAddLayerNormGrad(isa, type, dy, h, w, mean, rstd, d.random,
        d.sequence, d.position, d.site, d.threshold, d.scale, dx, dresidual, partial, from, to, rows, columns),
        o.out(2), o.out(3));
  }

  /** Whether there is a kernel: of two or three tables in fp32, whatever y is in. */
  static boolean embeds(EmbeddingLayerNorm op, Spec[] in) {
    return op.tables() <= 3 && in[0].type() == DType.F32
        && op.to().map(to -> to == DType.F32 || to == DType.BF16).orElse(true);
  }

  /** Inputs tables (V,C) and their indices (T) in turn, w, b (C); outputs y (T,C) [h (T,C), mean, rstd (T)]. */
  static Kernel embeddingLayerNorm(Binding o, EmbeddingLayerNorm op) {
    Spec out = o.operands.out()[0];
    int isa = o.isa, type = out.type() == DType.BF16 ? 1 : 0, columns = o.columns(), last = 2 * op.tables();
    long words = o.in(0), word = o.in(1), types = o.in(2), kind = o.in(3);
    long positions = op.tables() == 3 ? o.in(4) : 0, position = op.tables() == 3 ? o.in(5) : 0;
    long w = o.in(last), b = o.in(last + 1), scratch = o.scratch(), bytes = rowBytes(out, 1), y = o.out(0);
    long h = op.kept() ? o.out(1) : 0, mean = op.kept() ? o.out(2) : 0, rstd = op.kept() ? o.out(3) : 0;
    double eps = op.eps();
    Workers.Task task = o.share(out.shape().rows(), (from, to, worker) ->
        NativeCalls.embeddingLayerNorm(isa, type, words, word, types, kind, positions, position, w, b, y, h, mean, rstd,
        scratch + worker * bytes, from, to, columns, eps));
    return () -> o.workers.run(task);
  }
}
