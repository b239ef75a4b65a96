package org.dyr.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Measures what the card reaches, by its own clock: the product of two large squares, of drawn numbers since others
 * take less power, and copying through memory. The best of a few rounds counts.
 */
final class CudaPeak {
  private static final int ROUNDS = 5;
  private static final int DRAWN_BYTES = 1 << 18;

  private final CudaBackend backend;
  private final CublasLtKernels products;
  private final CUstream_st stream;
  private final int side;
  private final long copied;

  /**
   * @param side of the squares
   * @param copied bytes that are read and written
   */
  CudaPeak(CudaBackend backend, CublasLtKernels products, CUstream_st stream, int side, long copied) {
    this.backend = backend;
    this.products = products;
    this.stream = stream;
    this.side = side;
    this.copied = copied;
  }

  Peak measure() {
    return new Peak(flops(DType.F32), flops(DType.BF16), copy());
  }

  private double flops(DType type) {
    MatMul op = new MatMul(false, true);
    Spec square = Spec.of(type, side, side);
    Spec[] in = {square, square};
    long bytes = square.bytes(), scratch = products.scratchBytes(op, in);
    try (Slab slab = backend.allocate(3 * bytes + scratch, "measurement of products")) {
      draw(type, slab, 2 * bytes);
      Span[] factors = {slab.span(0, bytes), slab.span(bytes, bytes)}, result = {slab.span(2 * bytes, bytes)};
      Kernel product = products.prepare(op, new Operands(in, op.outputs(in), factors, result,
          slab.span(3 * bytes, scratch)));
      double seconds = best(product);
      product.close();
      return op.flops(in) / seconds;
    }
  }

  /** Fills memory with numbers of the type in -1..1: some are drawn, the others are copies. */
  private void draw(DType type, Slab slab, long bytes) {
    long drawn = Math.min(DRAWN_BYTES, bytes);
    Random random = new Random(1);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(drawn, Long.BYTES);
      for (long i = 0; i < drawn / type.bytes(); i++) type.set(host, i, 2 * random.nextDouble() - 1);
      backend.upload(host, drawn, slab.span(0, drawn));
    }
    for (long done = drawn; done < bytes; done = Math.min(2 * done, bytes)) {
      Driver.copy(slab.address() + done, slab.address(), Math.min(done, bytes - done), stream);
    }
  }

  /** Bytes read and written in a second. */
  private double copy() {
    try (Slab from = backend.allocate(copied, "measurement of copying");
        Slab to = backend.allocate(copied, "measurement of copying")) {
      return 2 * copied / best(() -> Driver.copy(to.address(), from.address(), copied, stream));
    }
  }

  /** Seconds. */
  private double best(Kernel kernel) {
    double least = Double.POSITIVE_INFINITY;
    for (int round = 0; round < ROUNDS; round++) least = Math.min(least, Stopwatch.milliseconds(stream, 1, kernel));
    return least / 1e3;
  }
}
