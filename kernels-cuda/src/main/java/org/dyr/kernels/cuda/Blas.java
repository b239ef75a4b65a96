package org.dyr.kernels.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSB;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_NOT_SUPPORTED;
import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_SUCCESS;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.dyr.device.DeviceException;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Every function of cuBLASLt that is called, and none else: one that a version lacks would end the process where it is
 * called. Each status is checked where it comes from, but for a product's, which may refuse what was proposed. Matrices
 * are by columns there, so ours, by rows, are their own transposes: what it is asked for is c^T = op(b)^T op(a)^T, and
 * the bias, one number a row of c^T, is ours.
 */
final class Blas {
  /** What operands are aligned to at least; no algorithm asks for more. */
  static final int ALIGNMENT = 16;

  /** What a workspace is aligned to. */
  static final int WORKSPACE_ALIGNMENT = 256;

  /** The most workspace that an algorithm may want: what NVIDIA advises for Hopper. */
  private static final long WORKSPACE_BYTES = 32 << 20;

  private static final int REAL_32 = 0; // of the enum cudaDataType
  private static final int REAL_16 = 2;
  private static final int REAL_BF16 = 14;

  private Blas() {}

  /** The next multiple of what a workspace is aligned to. */
  static long aligned(long bytes) {
    return bytes + WORKSPACE_ALIGNMENT - 1 & -WORKSPACE_ALIGNMENT;
  }

  /** An algorithm as the library describes it, opaque, and the workspace that it wants. */
  record Algorithm(cublasLtMatmulAlgo_t settings, long workspaceBytes) {}

  /** @throws DeviceException unless the status is 0, with the function and what it was called for */
  static void check(int status, String function, Object of) {
    if (status != CUBLAS_STATUS_SUCCESS) {
      throw new DeviceException("%s of %s: %s (%d)".formatted(function, of, name(status), status));
    }
  }

  private static String name(int status) {
    BytePointer name = cublas.cublasLtGetStatusName(status);
    return name == null ? "a status that cuBLASLt does not name" : name.getString();
  }

  /** {@code 130100}. */
  static long version() {
    return cublas.cublasLtGetVersion();
  }

  /** Of the device whose context is current. */
  static cublasLtContext create() {
    cublasLtContext handle = new cublasLtContext();
    check(cublas.cublasLtCreate(handle), "cublasLtCreate", "the device");
    return handle;
  }

  static void destroy(cublasLtContext handle) {
    check(cublas.cublasLtDestroy(handle), "cublasLtDestroy", "the device");
  }

  /** Sums in fp32, never of rounded factors. */
  static cublasLtMatmulDescOpaque_t operation(Product p) {
    try (PointerPointer<cublasLtMatmulDescOpaque_t> made = new PointerPointer<>(1)) {
      check(cublas.cublasLtMatmulDescCreate(made, CUBLAS_COMPUTE_32F, REAL_32), "cublasLtMatmulDescCreate", p);
      cublasLtMatmulDescOpaque_t operation = made.get(cublasLtMatmulDescOpaque_t.class);
      if (p.transposeB()) set(operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T, p);
      if (p.transposeA()) set(operation, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T, p);
      if (p.bias()) set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS, p);
      return operation;
    }
  }

  private static void set(cublasLtMatmulDescOpaque_t operation, int attribute, int value, Product p) {
    try (IntPointer v = new IntPointer(1L).put(value)) {
      check(cublas.cublasLtMatmulDescSetAttribute(operation, attribute, v, Integer.BYTES),
          "cublasLtMatmulDescSetAttribute", p);
    }
  }

  /** Where the bias is, in the type of c. */
  static void setBias(cublasLtMatmulDescOpaque_t operation, long address, Product p) {
    try (LongPointer v = new LongPointer(1L).put(address)) {
      check(cublas.cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, v, Long.BYTES),
          "cublasLtMatmulDescSetAttribute", p);
    }
  }

  static void destroy(cublasLtMatmulDescOpaque_t operation, Product p) {
    check(cublas.cublasLtMatmulDescDestroy(operation), "cublasLtMatmulDescDestroy", p);
  }

  /** A matrix (R,C) by rows, which is (C,R) by columns. */
  static cublasLtMatrixLayoutOpaque_t layout(Spec matrix) {
    int rows = matrix.shape().dim(0), columns = matrix.shape().dim(1);
    try (PointerPointer<cublasLtMatrixLayoutOpaque_t> made = new PointerPointer<>(1)) {
      check(cublas.cublasLtMatrixLayoutCreate(made, number(matrix.type()), columns, rows, columns),
          "cublasLtMatrixLayoutCreate", matrix);
      return made.get(cublasLtMatrixLayoutOpaque_t.class);
    }
  }

  static void destroy(cublasLtMatrixLayoutOpaque_t layout, Spec matrix) {
    check(cublas.cublasLtMatrixLayoutDestroy(layout), "cublasLtMatrixLayoutDestroy", matrix);
  }

  private static int number(DType type) {
    return switch (type) {
      case F32 -> REAL_32;
      case F16 -> REAL_16;
      case BF16 -> REAL_BF16;
      case F64, I32 -> throw new IllegalArgumentException("no product of " + type);
    };
  }

  /** At most so many algorithms, the first the most promising; none where the library has none. */
  static List<Algorithm> algorithms(cublasLtContext handle, Descriptors d, int most) {
    Product p = d.product();
    cublasLtMatmulPreferenceOpaque_t preference = preference(p);
    int[] count = new int[1];
    try (cublasLtMatmulHeuristicResult_t results = new cublasLtMatmulHeuristicResult_t(most)) {
      int status = cublas.cublasLtMatmulAlgoGetHeuristic(handle, d.operation(), d.b(), d.a(), d.c(), d.c(), preference,
          most, results, count);
      if (status == CUBLAS_STATUS_NOT_SUPPORTED) return List.of();
      check(status, "cublasLtMatmulAlgoGetHeuristic", p);
      List<Algorithm> found = new ArrayList<>();
      for (int i = 0; i < count[0]; i++) {
        cublasLtMatmulHeuristicResult_t r = results.getPointer(i);
        if (r.state() == CUBLAS_STATUS_SUCCESS) found.add(new Algorithm(copy(r.algo()), r.workspaceSize()));
      }
      return found;
    } finally {
      check(cublas.cublasLtMatmulPreferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy", p);
    }
  }

  /**
   * Parts of a sum may only be added in a pass of their own, from fp32 in the workspace: their order is fixed, so runs
   * repeat, and no part is rounded to 16 bits.
   */
  private static cublasLtMatmulPreferenceOpaque_t preference(Product p) {
    try (PointerPointer<cublasLtMatmulPreferenceOpaque_t> made = new PointerPointer<>(1);
        LongPointer bytes = new LongPointer(1L).put(WORKSPACE_BYTES)) {
      check(cublas.cublasLtMatmulPreferenceCreate(made), "cublasLtMatmulPreferenceCreate", p);
      cublasLtMatmulPreferenceOpaque_t preference = made.get(cublasLtMatmulPreferenceOpaque_t.class);
      check(cublas.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, bytes,
          Long.BYTES), "cublasLtMatmulPreferenceSetAttribute", p);
      set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, p);
      set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, ALIGNMENT, p);
      set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, ALIGNMENT, p);
      set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, ALIGNMENT, p);
      set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, ALIGNMENT, p);
      return preference;
    }
  }

  private static void set(cublasLtMatmulPreferenceOpaque_t preference, int attribute, int value, Product p) {
    try (IntPointer v = new IntPointer(1L).put(value)) {
      check(cublas.cublasLtMatmulPreferenceSetAttribute(preference, attribute, v, Integer.BYTES),
          "cublasLtMatmulPreferenceSetAttribute", p);
    }
  }

  private static cublasLtMatmulAlgo_t copy(cublasLtMatmulAlgo_t from) {
    cublasLtMatmulAlgo_t to = new cublasLtMatmulAlgo_t();
    Pointer.memcpy(to, from, from.sizeof());
    return to;
  }

  /** An algorithm from what {@link #words} made; null where the library here does not take it for this product. */
  static Algorithm restored(cublasLtContext handle, Descriptors d, long[] words) {
    cublasLtMatmulAlgo_t settings = new cublasLtMatmulAlgo_t();
    if (words.length != settings.sizeof() / Long.BYTES) return null;
    for (int i = 0; i < words.length; i++) settings.data(i, words[i]);
    try (cublasLtMatmulHeuristicResult_t result = new cublasLtMatmulHeuristicResult_t()) {
      int status = cublas.cublasLtMatmulAlgoCheck(handle, d.operation(), d.b(), d.a(), d.c(), d.c(), settings, result);
      boolean good = status == CUBLAS_STATUS_SUCCESS && result.state() == CUBLAS_STATUS_SUCCESS
          && result.workspaceSize() <= WORKSPACE_BYTES;
      return good ? new Algorithm(settings, result.workspaceSize()) : null;
    }
  }

  /** The algorithm as numbers, which the same version of the library reads on the same device. */
  static long[] words(Algorithm algorithm) {
    long[] words = new long[algorithm.settings().sizeof() / Long.BYTES];
    for (int i = 0; i < words.length; i++) words[i] = algorithm.settings().data(i);
    return words;
  }

  /** Puts the product on the stream and gives the library's status. Factors and addends are fp32 on the host. */
  static int multiply(cublasLtContext handle, Descriptors d, Pointer factor, Pointer a, Pointer b, Pointer addend,
      Pointer residual, Pointer c, Algorithm algorithm, Pointer workspace, CUstream_st stream) {
    return cublas.cublasLtMatmul(handle, d.operation(), factor, b, d.b(), a, d.a(), addend, residual, d.c(), c, d.c(),
        algorithm.settings(), workspace, algorithm.workspaceBytes(), stream);
  }
}
