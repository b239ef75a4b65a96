package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;

/** The processor's peak in fp32: 24 chains of multiply-adds in registers, more than its units have stages. */
final class PeakVector {
  private static final int CHAINS = 24;
  private static final int WARM = 2000;
  private static final int TURNS = 10_000;
  private static final int RUNS = 50;

  private PeakVector() {}

  /** Some milliseconds. Returns the operations done, two a multiply-add. */
  static long run() {
    float sum = 0;
    // Short calls until the compiler has seen to the loop: interpreted it is a thousand times slower.
    for (int i = 0; i < WARM; i++) sum += chains(16, 1e-9f);
    for (int i = 0; i < RUNS; i++) sum += chains(TURNS, 1e-9f);
    // The sum is positive; the comparison keeps the loops from being removed.
    return sum > 0 ? 2L * CHAINS * Lanes.COUNT * (WARM * 16 + (long) RUNS * TURNS) : 0;
  }

  private static float chains(int turns, float x) {
    FloatVector a = FloatVector.broadcast(Lanes.F, x), b = a;
    FloatVector c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = a, c6 = a, c7 = a, c8 = a, c9 = a, c10 = a, c11 = a;
    FloatVector d0 = a, d1 = a, d2 = a, d3 = a, d4 = a, d5 = a, d6 = a, d7 = a, d8 = a, d9 = a, d10 = a, d11 = a;
    for (int i = 0; i < turns; i++) {
      c0 = a.fma(b, c0);
      c1 = a.fma(b, c1);
      c2 = a.fma(b, c2);
      c3 = a.fma(b, c3);
      c4 = a.fma(b, c4);
      c5 = a.fma(b, c5);
      c6 = a.fma(b, c6);
      c7 = a.fma(b, c7);
      c8 = a.fma(b, c8);
      c9 = a.fma(b, c9);
      c10 = a.fma(b, c10);
      c11 = a.fma(b, c11);
      d0 = a.fma(b, d0);
      d1 = a.fma(b, d1);
      d2 = a.fma(b, d2);
      d3 = a.fma(b, d3);
      d4 = a.fma(b, d4);
      d5 = a.fma(b, d5);
      d6 = a.fma(b, d6);
      d7 = a.fma(b, d7);
      d8 = a.fma(b, d8);
      d9 = a.fma(b, d9);
      d10 = a.fma(b, d10);
      d11 = a.fma(b, d11);
    }
    FloatVector s = c0.add(c1).add(c2).add(c3).add(c4).add(c5).add(c6).add(c7).add(c8).add(c9).add(c10).add(c11);
    FloatVector t = d0.add(d1).add(d2).add(d3).add(d4).add(d5).add(d6).add(d7).add(d8).add(d9).add(d10).add(d11);
    return s.add(t).lane(0);
  }
}
