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

  // norm.cu

  @NoException static native int dropout(int type, long x, long y, long random, long sequence, long position, int site,
      int threshold, float keep, long rows, int columns, long stream);

  @NoException static native int dropoutAddLayerNorm(int type, long x, long bias, long residual, long w, long b,
      long random, long sequence, long position, int site, int threshold, float keep, long y, long h, long mean,
      long rstd, long rows, int columns, float eps, long stream);

  @NoException static native int embeddingLayerNorm(int type, long table0, long index0, long table1, long index1,
      long table2, long index2, long w, long b, long y, long h, long mean, long rstd, long rows, int columns, float eps,
      long stream);

  @NoException static native int dropoutAddLayerNormGrad(int type, long dy, long x, long w, long mean, long rstd,
      long random, long sequence, long position, int site, int threshold, float keep, long dx, long dresidual, long dw,
      long db, long dbias, long partial, int most, long rows, int columns, long stream);

  // activation.cu

  @NoException static native int activation(int type, int kind, long x, long b, long y, long n, int columns,
      long stream);

  @NoException static native int activationGrad(int type, int kind, long dy, long x, long b, long dx, long n,
      int columns, long stream);

  @NoException static native long activationSumsScratch(int type, long rows, int columns);

  @NoException static native int activationGradSumRows(int type, int kind, long dy, long x, long b, long dx, long db,
      long partial, long rows, int columns, long stream);

  // sums.cu

  @NoException static native long sumScratch(long n);

  @NoException static native long sumRowsScratch(long rows, int columns);

  @NoException static native int sum(int type, long x, long y, long partial, long n, long stream);

  @NoException static native int sumSquares(int type, long x, long y, long partial, long n, long stream);

  @NoException static native int allFinite(int type, long x, long y, long partial, long n, long stream);

  @NoException static native int ifFinite(int type, long rows, long x, long y, int columns, long stream);

  @NoException static native int clipFactor(int type, long n2, long s, long factor, long norm, double maxNorm,
      long stream);

  @NoException static native int sumRows(int type, long x, long y, long partial, long rows, int columns, long stream);

  // gather.cu

  @NoException static native int gather(int type, long table, long index, long y, long rows, int columns, long stream);

  @NoException static native long gatherGradScratch(long rows, int tableRows, int columns);

  @NoException static native int gatherGrad(int type, long dy, long index, long dtable, long scratch, int rows,
      int tableRows, int columns, long stream);

  // loss.cu

  @NoException static native int groupCrossEntropy(int type, long z, long groups, long loss, int count, int kept,
      long stream);

  @NoException static native int groupCrossEntropyGrad(int type, long dloss, long z, long groups, long dz, int count,
      int samples, int kept, long stream);

  // update.cu: segments is an address of the host

  @NoException static native long lambScratch(long segments, int count);

  @NoException static native int lamb(long p, long m, long v, long g, long factor, long hyper, long segments, int count,
      double beta1, double beta2, float eps, long scratch, long stream);

  @NoException static native int adamWeightDecay(long p, long m, long v, long g, long factor, long hyper, long segments,
      int count, double beta1, double beta2, float eps, long stream);

  @NoException static native int momentum(long p, long v, long g, long factor, long hyper, long segments, int count,
      float mu, long stream);

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
