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

  @NoException static native void narrow(int isa, long x, long y, long from, long to);

  @NoException static native void widen(int isa, long x, long y, long from, long to);

  // gemm.h

  // attention.h

  @NoException static native void attentionScratch(int isa, long floats, int longest, int size);

  @NoException static native void attention(int isa, int type, long q, long k, long v, long offsets, long random, long sequence,
      long o, long lse, int tokens, int sequences, int heads, int size, int longest, int site, int threshold, float dropScale,
      long scratch, int worker, int workers);

  @NoException static native void attentionGradient(int isa, int type, long dout, long q, long k, long v, long o, long lse,
      long offsets, long random, long sequence, long dq, long dk, long dv, int tokens, int sequences, int heads, int size,
      int longest, int site, int threshold, float dropScale, long scratch, int worker, int workers);
}
