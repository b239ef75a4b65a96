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

  @NoException static native int attentionForward(int type, long q, long k, long v, long offsets, long random,
      long sequence, long o, long lse, int tokens, int sequences, int heads, int size, int longest, int site,
      int threshold, float scale, long stream);

  // attention_plain.cu

  @NoException static native int attentionPlainForward(int type, long q, long k, long v, long offsets, long random,
      long sequence, long table, long o, long lse, int tokens, int sequences, int heads, int size, int longest,
      int site, int threshold, float scale, int distances, long stream);

  // attention_gradient.cu

  @NoException static native int attentionGradientSetup(int type, long dout, long o, long offsets, long random,
      long sequence, long delta, long kept, int tokens, int sequences, int heads, int size, int longest, int site,
      int threshold, long stream);

  @NoException static native int attentionGradient(int type, long dout, long q, long k, long v, long lse, long delta,
      long kept, long offsets, long random, long dq, long dk, long dv, int tokens, int sequences, int heads,
      int size, int longest, float scale, long stream);

  // attention_plain_gradient.cu

  @NoException static native int attentionPlainGradient(int type, long dout, long q, long k, long v, long lse,
      long delta, long kept, long offsets, long random, long table, long dq, long dk, long dv, long folded, int tokens,
      int sequences, int heads, int size, int longest, float scale, int distances, long stream);

  @NoException static native int distancesGradient(int type, long folded, long x, long y, long offsets, long parts,
      long da, int tokens, int sequences, int heads, int size, int distances, int count, long stream);

  // attention_first.cu

  @NoException static native int attentionFirst(int type, long q, long k, long v, long offsets, long random,
      long sequence, long o, long lse, int tokens, int sequences, int heads, int size, int site, int threshold,
      float scale, long stream);

  @NoException static native int attentionFirstGradient(int type, long dout, long q, long k, long v, long o,
      long lse, long offsets, long random, long sequence, long dq, long dk, long dv, int tokens, int sequences,
      int heads, int size, int site, int threshold, float scale, long stream);

  // attention_parts.cu

  @NoException static native int attentionProducts(int type, long x, long y, long table, long offsets, long z,
      int tokens, int sequences, int heads, int size, int longest, int first, int distances, float by, long stream);

  @NoException static native int attentionSumOverKeys(int type, long w, long y, long table, long offsets, long z,
      int tokens, int sequences, int heads, int size, int longest, int first, int distances, float by, long stream);

  @NoException static native int attentionSumOverQueries(int type, long w, long x, long offsets, long z, int tokens,
      int sequences, int heads, int size, int longest, int first, float by, long stream);

  @NoException static native int attentionFold(int type, long w, long offsets, long folded, int tokens,
      int sequences, int heads, int size, int longest, int distances, float by, long stream);

  @NoException static native int attentionSoftmax(int type, long s, long offsets, long p, long lse, int tokens,
      int sequences, int heads, int longest, int first, long stream);

  @NoException static native int attentionSoftmaxGradient(int type, long dp, long p, long offsets, long ds,
      int tokens, int sequences, int heads, int longest, int first, long stream);

  @NoException static native int attentionDropout(int type, long x, long random, long offsets, long sequence, long y,
      int tokens, int sequences, int heads, int longest, int first, int site, int threshold, float scale,
      long stream);
}
