package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import java.nio.file.Path;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUstream_st;
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
 * will be: a pass over the bias instead of one over c.
 */
final class CublasLtKernels implements KernelSet, AutoCloseable {
  private final CUctx_st context;
  private final CUstream_st stream;
  private final cublasLtContext handle;
  private final Algorithms algorithms;

  /**
   * @param lock what every user of the stream holds
   * @param most how many algorithms are measured for a product
   * @param cache where it is kept which is the fastest
   */
  CublasLtKernels(CUctx_st context, CUstream_st stream, Object lock, int most, Path cache) {
    this.context = context;
    this.stream = stream;
    handle = Blas.create();
    algorithms = new Algorithms(handle, stream, lock, most, new AlgorithmFile(cache.resolve("products"),
        "%s, driver %d, cuBLASLt %d".formatted(Driver.describe(0), Driver.version(), Blas.version())));
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
    return algorithms.has(p);
  }

  /** Whether an axis is of size 0, which the library refuses. */
  private static boolean hasNoSum(Product p) {
    return p.m() == 0 || p.n() == 0 || p.k() == 0;
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    Product p = Product.of(op, in);
    if (hasNoSum(p)) return 0;
    Driver.makeCurrent(context);
    return scratchBytes(p, algorithms.choose(p));
  }

  /** A rounded bias, then the workspace, wherever the scratch begins. */
  private static long scratchBytes(Product p, Blas.Algorithm algorithm) {
    long bytes = roundedBias(p) + algorithm.workspaceBytes();
    return bytes == 0 ? 0 : bytes + Blas.WORKSPACE_ALIGNMENT;
  }

  /** Bytes for a bias in the type of c; 0 where the library reads ours. */
  private static long roundedBias(Product p) {
    return p.bias() && p.result().isHalf() ? Blas.aligned((long) p.n() * p.result().bytes()) : 0;
  }

  @Override public Kernel prepare(Op op, Operands o) {
    Product p = Product.of(op, o.in());
    if (p.m() == 0 || p.n() == 0) return () -> {};
    Gemm gemm = Product.gemm(op);
    long bias = p.bias() ? o.inputs()[2].address() : 0;
    long residual = p.residual() ? o.inputs()[gemm.residualInput()].address() : 0;
    long c = o.outputs()[0].address();
    if (p.k() == 0) return addends(p, bias, residual, c);
    Driver.makeCurrent(context);
    Blas.Algorithm algorithm = algorithms.choose(p);
    long rounded = roundedBias(p);
    long scratch = scratchBytes(p, algorithm) == 0 ? 0 : Blas.aligned(o.scratch().address());
    CublasLtProduct product = new CublasLtProduct(handle, p, algorithm, new CublasLtProduct.Operands(
        o.inputs()[0].address(), o.inputs()[1].address(), rounded > 0 ? scratch : bias, residual, c, scratch + rounded),
        stream);
    return rounded > 0 ? afterRounding(product, p, bias, scratch) : product;
  }

  /** The product, once its bias has been rounded. */
  private Kernel afterRounding(CublasLtProduct product, Product p, long bias, long rounded) {
    int from = Binding.number(DType.F32), to = Binding.number(p.result()), n = p.n();
    long on = stream.address();
    return new Kernel() {
      @Override public void launch() {
        check(CudaCalls.cast(from, to, bias, rounded, n, on));
        product.launch();
      }

      @Override public void close() {
        product.close();
      }
    };
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
