package org.dyr.kernels.cuda;

import java.lang.foreign.MemorySegment;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Pointer;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;

/** Memory of its own in which the algorithms for a product are tried: whether each is right, and how long it takes. */
final class Trial implements AutoCloseable {
  private static final int TIMED = 5; // launches, after one that loads the kernel
  private static final int ANY = 0x3c; // bytes that are small positive numbers in fp32, bf16 and fp16
  private static final long SAMPLE = 1 << 16; // bytes of c that are read, from its begin and from its end

  private final cublasLtContext handle;
  private final CUstream_st stream;
  private final Product product;
  private final long memory;
  private final long bytes;
  private final CublasLtProduct.Operands operands; // c is the residual

  /** @throws OutOfDeviceMemory where the memory does not suffice */
  Trial(cublasLtContext handle, Product p, long workspace, CUstream_st stream) {
    this.handle = handle;
    this.stream = stream;
    product = p;
    long a = Blas.aligned(p.a().bytes()), b = Blas.aligned(p.b().bytes()), c = Blas.aligned(p.c().bytes());
    long bias = Blas.aligned((long) p.n() * p.result().bytes());
    bytes = a + b + bias + c + Blas.aligned(workspace);
    memory = Driver.allocate(bytes);
    if (memory == 0) throw new OutOfDeviceMemory(refusal(), null);
    long afterA = memory + a, afterB = afterA + b, afterBias = afterB + bias;
    operands = new CublasLtProduct.Operands(memory, afterA, afterB, afterBias, afterBias, afterBias + c);
  }

  private String refusal() {
    long[] all = Driver.memory();
    return ("cuda:0: %,d bytes to try the algorithms for %s in were refused; free: %,d of %,d. A smaller token budget "
        + "leaves more").formatted(bytes, product, all[0], all[1]);
  }

  /**
   * Numbers of 16 bits by which a rounding on the way shows: each sum is (1 + s)^2, and what is added to it -(1 + 2 s).
   * That leaves s^2, which the sum loses in 16 bits, and with one of two addends too.
   */
  record Numbers(double factor, double bias, double residual, double c) {
    static Numbers of(Product p) {
      double s = p.result() == DType.BF16 ? 0x1p-5 : 0x1p-6, addends = -(1 + 2 * s);
      double bias = p.residual() ? -0.5 : addends;
      return new Numbers(1 + s, bias, addends - bias, s * s);
    }
  }

  /** Whether the library takes the algorithm and, if the product is tried, rounds its sums once. */
  boolean isRight(Blas.Algorithm algorithm) {
    Numbers numbers = Numbers.of(product);
    boolean tried = product.isTried();
    if (tried) lay(numbers);
    CublasLtProduct kernel = kernel(algorithm);
    try {
      boolean taken = kernel.isTaken();
      Driver.synchronize(stream); // where what is more than a refusal is thrown
      return taken && (!tried || isAll(numbers.c()));
    } finally {
      kernel.close();
    }
  }

  private CublasLtProduct kernel(Blas.Algorithm algorithm) {
    return new CublasLtProduct(handle, product, algorithm, operands, stream);
  }

  /** op(a) is the factor everywhere, op(b) (K,N) in its first row alone, with zeros below. */
  private void lay(Numbers numbers) {
    int m = product.m(), n = product.n(), k = product.k();
    put(numbers.factor(), operands.a(), m, k, k);
    Driver.clear(operands.b(), product.b().bytes(), stream);
    if (product.transposeB()) put(numbers.factor(), operands.b(), n, 1, k);
    else put(numbers.factor(), operands.b(), 1, n, n);
    put(numbers.bias(), operands.bias(), 1, n, n);
    put(numbers.residual(), operands.c(), m, n, n);
  }

  /** @param pitch elements from one row to the next */
  private void put(double x, long to, int rows, int columns, int pitch) {
    short bits = product.result() == DType.BF16 ? Half.toBf16((float) x) : Half.toF16((float) x);
    Driver.fill(to, bits, rows, columns, (long) pitch * Short.BYTES, stream);
  }

  /** Whether all that is read of c is this number. */
  private boolean isAll(double x) {
    DType type = product.result();
    long all = product.c().bytes(), sample = Math.min(all, SAMPLE);
    Pointer host = Driver.allocatePinned(sample);
    try {
      MemorySegment read = Driver.segment(host, sample);
      for (long from : new long[] {0, all - sample}) {
        Driver.download(host, operands.c() + from, sample, stream);
        Driver.synchronize(stream);
        for (long i = 0; i < sample / type.bytes(); i++) if (type.get(read, i) != x) return false;
      }
      return true;
    } finally {
      Driver.freePinned(host);
    }
  }

  /** Of launches of an algorithm that the library takes. */
  double milliseconds(Blas.Algorithm algorithm) {
    Driver.fill(memory, ANY, bytes, stream);
    CublasLtProduct kernel = kernel(algorithm);
    try {
      return Stopwatch.milliseconds(stream, TIMED, kernel);
    } finally {
      kernel.close();
    }
  }

  @Override public void close() {
    Driver.free(memory);
  }
}
