package org.dyr.kernels.cpu;

import org.bytedeco.javacpp.annotation.Namespace;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The functions of {@code dyr_kernels.h}; JavaCPP writes the other side at build time. {@code isa} is the number of an
 * {@link Instructions}, {@code type} 0 for fp32 and 1 for bf16 storage, pointers are addresses, ranges end before
 * {@code to}. What a kernel computes stands with its template in {@code src/main/cpp}.
 */
@Platform(value = "linux-x86_64", include = "dyr_kernels.h")
@Namespace("dyr")
@NoException
final class NativeCalls {
  private NativeCalls() {}

  @NoException static native int reported();

  @NoException static native boolean executes(int isa);

  // elementwise.h

  @NoException static native void add(int isa, int type, long a, long b, long c, long from, long to);

  @NoException static native void addBias(int isa, int type, long x, long b, long y, long from, long to, int columns);

  @NoException static native void scale(int isa, int type, long x, long s, long y, long from, long to);

  @NoException static native void fill(int isa, int type, long x, long y, long from, long to);

  @NoException static native void narrow(int isa, long x, long y, long from, long to);

  @NoException static native void widen(int isa, long x, long y, long from, long to);

  // sums.h

  @NoException static native void sumRows(int isa, int type, long x, long partial, long from, long to, long rows,
      int columns);

  @NoException static native void foldChunks(int isa, long partial, long y, long from, long to, long columns,
      long chunks, int sums, int which);

  @NoException static native void sumChunks(int isa, int type, long x, long partial, long from, long to, long n);

  @NoException static native void squareChunks(int isa, int type, long x, long partial, long from, long to, long n);

  @NoException static native void finiteChunks(int isa, int type, long x, long partial, long from, long to, long n);

  @NoException static native void foldSum(int isa, int type, long partial, long y, long chunks);

  @NoException static native void foldFinite(int isa, int type, long partial, long y, long chunks);

  @NoException static native void clipFactor(int isa, int type, long n2, long s, long factor, long norm,
      double maxNorm);

  // activation.h

  @NoException static native void activation(int isa, int type, long x, long y, long from, long to, int kind);

  @NoException static native void activationGrad(int isa, int type, long dy, long x, long dx, long from, long to,
      int kind);

  @NoException static native void biasActivation(int isa, int type, long x, long b, long y, long from, long to,
      int columns, int kind);

  @NoException static native void biasActivationGrad(int isa, int type, long dy, long x, long b, long dx, long from,
      long to, int columns, int kind);

  // norm.h

  @NoException static native void dropout(int isa, int type, long x, long y, long random, long sequence,
      long position, int site, int threshold, float scale, long from, long to, int columns);

  @NoException static native void layerNorm(int isa, int type, long x, long w, long b, long y, long mean, long rstd,
      long from, long to, int columns, double eps);

  @NoException static native void layerNormGrad(int isa, int type, long dy, long x, long w, long mean, long rstd,
      long dx, long partial, long from, long to, long rows, int columns);

  @NoException static native void dropoutAddLayerNorm(int isa, int type, long x, long residual, long w, long b,
      long random, long sequence, long position, int site, int threshold, float scale, long y, long h, long mean,
      long rstd, long row, long from, long to, int columns, double eps);

  @NoException static native void dropoutAddLayerNormGrad(int isa, int type, long dy, long h, long w, long mean,
      long rstd, long random, long sequence, long position, int site, int threshold, float scale, long dx,
      long dresidual, long partial, long from, long to, long rows, int columns);

  @NoException static native void embeddingLayerNorm(int isa, int type, long words, long word, long types, long kind,
      long positions, long position, long w, long b, long y, long h, long mean, long rstd, long row, long from, long to,
      int columns, double eps);

  // gather.h

  @NoException static native void gather(int isa, int type, long table, long index, long y, long from, long to,
      int columns);

  @NoException static native void clear(int isa, int type, long y, long from, long to);

  @NoException static native void gatherAdd(int isa, int type, long dy, long index, long dtable, long from, long to,
      long rows, int columns);

  // loss.h

  @NoException static native void groupCrossEntropy(int isa, int type, long z, long groups, long loss, long from,
      long to, int kept);

  @NoException static native void groupCrossEntropyGrad(int isa, int type, long dloss, long z, long groups, long dz,
      long from, long to, int kept);

  // update.h

  @NoException static native void lambMoments(int isa, long p, long m, long v, long g, long norms, long from, long n,
      float factor, double beta1, double beta2, float eps, float decay, float correct1, float correct2);

  @NoException static native void lambStep(int isa, long p, long m, long v, long from, long n, float step, float eps,
      float decay, float correct1, float correct2);

  @NoException static native void adamWeightDecay(int isa, long p, long m, long v, long g, long from, long n,
      float factor, double beta1, double beta2, float eps, float decay, float rate);

  @NoException static native void momentum(int isa, long p, long v, long g, long from, long n, float factor, float mu,
      float rate);

  // gemm.h

  @NoException static native int panelColumns(int isa);

  @NoException static native int bf16Depth(int isa);

  @NoException static native long blockFloats(int isa, int units);

  @NoException static native void packPanels(int isa, int type, long b, long stride, boolean transposed, int depth,
      int n, int from, int to, long panels);

  @NoException static native void packRounded(int isa, long b, long stride, boolean transposed, int depth, int n,
      int from, int to, long panels);

  @NoException static native void multiply(int isa, int type, long a, long stride, boolean transposed, int depth,
      long panels, int rowBegin, int rowEnd, int panelBegin, int panelEnd, long c, long residual, long bias, int n,
      boolean wide, int then, int kind, long u, long block, long sums, boolean more);

  // peak.h

  @NoException static native void multiplyAdds(int isa, int type, long done, long turns);

  // attention.h

  @NoException static native void attentionScratch(int isa, long floats, int longest, int size, int distances);

  @NoException static native void attention(int isa, int type, long q, long k, long v, long offsets, long random,
      long sequence, long table, long o, long lse, int tokens, int sequences, int heads, int size, int longest,
      int site, int threshold, float dropScale, int distances, long scratch, int worker, int workers);

  @NoException static native void attentionGradient(int isa, int type, long dout, long q, long k, long v, long o,
      long lse, long offsets, long random, long sequence, long table, long dq, long dk, long dv, int tokens,
      int sequences, int heads, int size, int longest, int site, int threshold, float dropScale, int distances,
      long parts, int run, long scratch, int worker, int workers);

  @NoException static native void distancesGradient(int isa, int type, long parts, int count, long da, long from,
      long to, int distances, int size, float dropScale);

  // attention_first.h

  @NoException static native void attentionFirstScratch(int isa, long floats, int heads, int size, int longest);

  @NoException static native void attentionFirst(int isa, int type, long q, long k, long v, long offsets, long random,
      long sequence, long o, long lse, int sequences, int heads, int size, int longest, int site, int threshold,
      float dropScale, long scratch, int worker, int workers);

  @NoException static native void attentionFirstGradient(int isa, int type, long dout, long q, long k, long v, long o,
      long lse, long offsets, long random, long sequence, long dq, long dk, long dv, int tokens, int sequences,
      int heads, int size, int site, int threshold, float dropScale, long scratch, int worker, int workers);

  // attention_absorbed.h

  @NoException static native void attentionAbsorbedScratch(int isa, long floats, int heads, int size, int columns,
      int longest);

  @NoException static native void attentionAbsorbed(int isa, int type, long q, long x, long key, int keyParts,
      long value, int valueParts, long valueBias, long offsets, long o, int sequences, int heads, int size, int columns,
      int longest, long scratch, int worker, int workers);
}
