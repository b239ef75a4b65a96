package org.dyr.kernels.cuda;

import org.bytedeco.javacpp.annotation.Namespace;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The functions of {@code dyr_cuda.h}; JavaCPP writes the other side at build time. Each launches kernels on a stream and
 * gives the status of doing so, which {@link Driver#check} takes. {@code type} is 0 for fp32, 1 for bf16, 2 for fp16
 * storage; addresses are the device's. What a kernel computes stands with it in {@code src/main/cuda}.
 */
@Platform(value = "linux-x86_64", include = "dyr_cuda.h")
@Namespace("dyr")
@NoException
final class CudaCalls {
  private CudaCalls() {}

  // elementwise.cu

  @NoException static native int add(int type, long a, long b, long c, long n, long stream);

  @NoException static native int addBias(int type, long x, long b, long y, long rows, int columns, long stream);

  @NoException static native int scale(int type, long x, long s, long y, long n, long stream);

  @NoException static native int broadcast(int type, long x, long y, long n, long stream);

  @NoException static native int cast(int from, int to, long x, long y, long n, long stream);

  // attention.cu

  @NoException static native int attentionForward(int type, long q, long k, long v, long offsets, long random, long sequence,
      long o, long lse, int tokens, int sequences, int heads, int size, int longest, int site, int threshold, float scale,
      long stream);

  // attention_plain.cu

  @NoException static native int attentionPlainForward(int type, long q, long k, long v, long offsets, long random,
      long sequence, long table, long o, long lse, int tokens, int sequences, int heads, int size, int longest, int site,
      int threshold, float scale, int distances, long stream);
}
