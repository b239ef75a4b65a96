package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.random;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The optimizers' kernels over parameters of odd sizes with gaps between them: some smaller than a vector, some of several
 * chunks, and one that closes a wave of Lamb's.
 */
class UpdateKernelsTest {

  private static final int[] SIZES = {1, 7, 768, 0, 4096, 4097, 10_001, 15, (int) LambKernel.WAVE, 33, 9_000};
  private static final List<Update.Segment> SEGMENTS = new ArrayList<>();
  private static final int N;

  static {
    int at = 3;
    for (int i = 0; i < SIZES.length; i++) {
      SEGMENTS.add(new Update.Segment("parameter" + i, at, SIZES[i], i % 3 != 1));
      at += SIZES[i] + 5;
    }
    N = at;
  }

  static Stream<Update> updates() {
    return Stream.of(new Update.Lamb(SEGMENTS, 0.9, 0.999, 1e-6, 0.01),
        new Update.AdamWeightDecay(SEGMENTS, 0.9, 0.999, 1e-6, 0.01), new Update.Momentum(SEGMENTS, 0.9));
  }

  private static Operation operation(Update op, int threads, float factor) {
    Spec[] in = new Spec[op.states() + 4];
    for (int i = 0; i < op.states() + 2; i++) in[i] = floats(N);
    in[op.states() + 2] = floats(1);
    in[op.states() + 3] = floats(Update.HYPER);
    long scratch = op instanceof Update.Lamb l ? LambKernel.scratchBytes(l, in) : 0;
    Operation o = new Operation(threads, op, scratch, in);
    float[] p = random(1, N, 0.05f);
    // The parameter at 2 is zero: its trust ratio is 1.
    java.util.Arrays.fill(p, (int) SEGMENTS.get(2).offset(), (int) SEGMENTS.get(2).offset() + 768, 0);
    o.set(0, p);
    for (int i = 1; i <= op.states(); i++) {
      float[] state = random(1 + i, N, 0.01f);
      // v of Adam and Lamb is a mean of squares.
      if (i == 2) for (int j = 0; j < N; j++) state[j] *= state[j];
      o.set(i, state);
    }
    return o.set(op.states() + 1, random(9, N, 0.5f)).set(op.states() + 2, factor)
        .set(op.states() + 3, 0.02f, 1.7f, 3.1f);
  }

  private static Operation.Maker maker(Update op) {
    return switch (op) {
      case Update.Lamb u -> (p, w) -> new LambKernel(u, p, w);
      case Update.AdamWeightDecay u -> (p, w) -> new AdamWeightDecayKernel(u, p, w);
      case Update.Momentum u -> (p, w) -> new MomentumKernel(u, p, w);
    };
  }

  @ParameterizedTest
  @MethodSource("updates")
  void agreesWithThePlainLoopForAnyNumberOfWorkers(Update op) {
    List<float[]> expected = new ArrayList<>(), first = new ArrayList<>();
    try (Operation o = operation(op, 1, 0.25f)) {
      o.reference();
      for (int i = 0; i < o.out.length; i++) expected.add(o.output(i));
    }
    for (int threads = 1; threads <= 3; threads++) {
      try (Operation o = operation(op, threads, 0.25f)) {
        o.run(maker(op));
        for (int i = 0; i < o.out.length; i++) {
          float[] y = o.output(i);
          if (threads > 1) assertArrayEquals(first.get(i), y, "output " + i);
          else first.add(y);
          for (int j = 0; j < N; j++) {
            float e = expected.get(i)[j];
            if (Math.abs(e - y[j]) > 1e-7 + 2e-6 * Math.abs(e)) assertEquals(e, y[j], "output " + i + " at " + j);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("updates")
  void leavesTheGapsAlone(Update op) {
    boolean[] inside = new boolean[N];
    for (Update.Segment s : SEGMENTS) {
      java.util.Arrays.fill(inside, (int) s.offset(), (int) s.offset() + s.length(), true);
    }
    try (Operation o = operation(op, 2, 0.25f); Operation before = operation(op, 1, 0.25f)) {
      o.run(maker(op));
      float[] x = before.output(0), y = o.output(0);
      int changed = 0;
      for (int j = 0; j < N; j++) {
        if (inside[j]) changed += x[j] != y[j] ? 1 : 0;
        else if (x[j] != y[j]) assertEquals(x[j], y[j], "gap at " + j);
      }
      assertTrue(changed > 0.99 * N, changed + " of " + N);
    }
  }

  @ParameterizedTest
  @MethodSource("updates")
  void factorOfNanLeavesEverythingUntouched(Update op) {
    try (Operation o = operation(op, 2, Float.NaN); Operation before = operation(op, 1, Float.NaN)) {
      o.run(maker(op));
      for (int i = 0; i < o.out.length; i++) assertArrayEquals(before.output(i), o.output(i));
    }
  }
}
