package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import java.nio.file.Path;
import java.util.Optional;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.DeviceException;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Matrix products by cuBLASLt, with sums in fp32: of fp32, which is not rounded to TF32, of bf16 and of fp16. The
 * library reads a bias in the type of c alone; ours is in fp32, so for a c of 16 bits it is rounded to them first, as c
 * will be: a pass over the bias instead of one over c. Where no algorithm adds before it rounds, c is made in fp32 and
 * rounded behind the product.
 */
final class CublasLtKernels implements KernelSet, AutoCloseable {
  private static final Kernel NOTHING = () -> {};

  private final CUctx_st context;
  private final CUstream_st stream;
  private final cublasLtContext handle;
  private final Algorithms algorithms;

  /**
   * @param lock what every user of the stream holds
   * @param most how many algorithms are tried for a product
   * @param cache where it is kept which is the fastest
   */
  CublasLtKernels(CUctx_st context, CUstream_st stream, Object lock, int most, Path cache) {
    this.context = context;
    this.stream = stream;
    handle = Blas.create();
    algorithms = new Algorithms(handle, stream, lock, most, new AlgorithmFile(cache.resolve("products"),
        Driver.describe(0) + ", driver " + Driver.version() + ", cuBLASLt " + Blas.version()));
  }

  @Override public String name() {
    return "cublaslt";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    if (!(op instanceof MatMul || op instanceof Gemm) || in[1].shape().rank() != 2) return false;
    if (in[0].type() != DType.F32 && !in[0].type().isHalf()) return false;
    Product p = Product.of(op, in);
    if (hasNoSum(p)) return true;
    Driver.makeCurrent(context);
    return algorithms.has(p.isTried() ? p.wide() : p);
  }

  /** Whether an axis is of size 0, which the library refuses. */
  private static boolean hasNoSum(Product p) {
    return p.m() == 0 || p.n() == 0 || p.k() == 0;
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    Product p = Product.of(op, in);
    return hasNoSum(p) ? 0 : way(p).scratchBytes();
  }

  /**
   * How a product is computed.
   *
   * @param product what the library is asked for: the product itself, or its wide one
   * @param staged bytes before the workspace: of a rounded bias, or of c in fp32
   */
  private record Way(Product product, Blas.Algorithm algorithm, long staged) {

    /** Wherever the scratch begins. */
    long scratchBytes() {
      long bytes = staged + algorithm.workspaceBytes();
      return bytes == 0 ? 0 : bytes + Blas.WORKSPACE_ALIGNMENT;
    }
  }

  private Way way(Product p) {
    Driver.makeCurrent(context);
    Optional<Blas.Algorithm> algorithm = algorithms.choose(p);
    if (algorithm.isPresent()) return new Way(p, algorithm.get(), roundedBias(p));
    Product wide = p.wide();
    return new Way(wide, algorithms.choose(wide).orElseThrow(
        () -> new DeviceException("cuBLASLt has no algorithm for " + wide)), Blas.aligned(wide.c().bytes()));
  }

  /** Bytes for a bias in the type of c; 0 where the library reads ours. */
  private static long roundedBias(Product p) {
    return p.bias() && p.result().isHalf() ? Blas.aligned((long) p.n() * p.result().bytes()) : 0;
  }

  @Override public Kernel prepare(Op op, Operands o) {
    Product p = Product.of(op, o.in());
    if (p.m() == 0 || p.n() == 0) return NOTHING;
    Gemm gemm = Product.gemm(op);
    long bias = p.bias() ? o.inputs()[2].address() : 0;
    long residual = p.residual() ? o.inputs()[gemm.residualInput()].address() : 0;
    long c = o.outputs()[0].address();
    if (p.k() == 0) return addends(p, bias, residual, c);
    Way way = way(p);
    long a = o.inputs()[0].address(), b = o.inputs()[1].address();
    long staged = way.scratchBytes() == 0 ? 0 : Blas.aligned(o.scratch().address()), workspace = staged + way.staged();
    DType narrow = p.result();
    if (!way.product().equals(p)) { // the residual is widened to where c is made, over which the product adds
      long size = p.c().shape().size();
      return new Surrounded(p.residual() ? cast(narrow, DType.F32, residual, staged, size) : NOTHING,
          product(way, a, b, bias, staged, staged, workspace), cast(DType.F32, narrow, staged, c, size));
    }
    if (way.staged() == 0) return product(way, a, b, bias, residual, c, workspace);
    return new Surrounded(cast(DType.F32, narrow, bias, staged, p.n()),
        product(way, a, b, staged, residual, c, workspace), NOTHING);
  }

  private CublasLtProduct product(Way way, long a, long b, long bias, long residual, long c, long workspace) {
    return new CublasLtProduct(handle, way.product(), way.algorithm(),
        new CublasLtProduct.Operands(a, b, bias, residual, c, workspace), stream);
  }

  private Kernel cast(DType from, DType to, long x, long y, long size) {
    int source = Binding.number(from), target = Binding.number(to);
    long on = stream.address();
    return () -> check(CudaCalls.cast(source, target, x, y, size, on));
  }

  /** A product, and what goes before and behind it. */
  private record Surrounded(Kernel before, CublasLtProduct product, Kernel behind) implements Kernel {
    @Override public void launch() {
      before.launch();
      product.launch();
      behind.launch();
    }

    @Override public void close() {
      product.close();
    }
  }

  /** c = [bias] [+ residual], a product over no depth. */
  private Kernel addends(Product p, long bias, long residual, long c) {
    int type = Binding.number(p.result()), rows = p.m(), columns = p.n();
    long bytes = p.c().bytes(), to = stream.address();
    return () -> {
      if (!p.residual()) Driver.clear(c, bytes, stream);
      else if (residual != c) Driver.copy(c, residual, bytes, stream);
      if (p.bias()) check(CudaCalls.addBias(type, c, bias, c, rows, columns, to));
    };
  }

  @Override public void close() {
    Blas.destroy(handle);
  }
}
