package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.random;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.cpu.LambKernel;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The optimizers' kernels over parameters of odd sizes with gaps between them: some smaller than a vector, some of
 * several chunks; for Lamb also one that closes a wave.
 */
class UpdateKernelsTest {

  private static final List<Update.Segment> SMALL = segments(1, 7, 768, 0, 4096, 4097, 10_001, 15, 33);
  private static final List<Update.Segment> WAVES = segments(33, (int) LambKernel.WAVE, 0, 9_000);

  /** Three elements before the first, five between one and the next. */
  private static List<Update.Segment> segments(int... sizes) {
    List<Update.Segment> segments = new ArrayList<>();
    int at = 3;
    for (int i = 0; i < sizes.length; i++) {
      segments.add(new Update.Segment("parameter" + i, at, sizes[i], i % 3 != 1));
      at += sizes[i] + 5;
    }
    return segments;
  }

  private static int size(Update op) {
    Update.Segment last = op.segments().getLast();
    return (int) last.offset() + last.length() + 5;
  }

  static Stream<Update> updates() {
    return Stream.of(new Update.Lamb(SMALL, 0.9, 0.999, 1e-6, 0.01),
        new Update.AdamWeightDecay(SMALL, 0.9, 0.999, 1e-6, 0.01), new Update.Momentum(SMALL, 0.9));
  }

  private static Operation operation(Update op, int threads, float factor) {
    int n = size(op);
    Spec[] in = new Spec[op.states() + 4];
    for (int i = 0; i < op.states() + 2; i++) in[i] = floats(n);
    in[op.states() + 2] = floats(1);
    in[op.states() + 3] = floats(Update.HYPER);
    long scratch = op instanceof Update.Lamb l ? LambKernel.scratchBytes(l, in) : 0;
    Operation o = new Operation(threads, op, scratch, in);
    float[] p = random(1, n, 0.05f);
    // The third parameter is zero: its trust ratio is 1.
    Update.Segment zero = op.segments().get(2);
    java.util.Arrays.fill(p, (int) zero.offset(), (int) zero.offset() + zero.length(), 0);
    o.set(0, p);
    for (int i = 1; i <= op.states(); i++) {
      float[] state = random(1 + i, n, 0.01f);
      // v of Adam and Lamb is a mean of squares.
      if (i == 2) for (int j = 0; j < n; j++) state[j] *= state[j];
      o.set(i, state);
    }
    return o.set(op.states() + 1, random(9, n, 0.5f)).set(op.states() + 2, factor)
        .set(op.states() + 3, 0.02f, 1.7f, 3.1f);
  }

  private static Operation.Maker maker(Update op) {
    return switch (op) {
      case Update.Lamb u -> (p, w) -> new LambVector(u, p, w);
      case Update.AdamWeightDecay u -> (p, w) -> new AdamWeightDecayKernel(u, p, w);
      case Update.Momentum u -> (p, w) -> new MomentumKernel(u, p, w);
    };
  }

  @ParameterizedTest
  @MethodSource("updates")
  void agreesWithThePlainLoopForAnyNumberOfWorkers(Update op) {
    compare(op, 3);
  }

  @Test void severalWavesAgreeWithThePlainLoop() {
    compare(new Update.Lamb(WAVES, 0.9, 0.999, 1e-6, 0.01), 2);
  }

  private static void compare(Update op, int most) {
    int n = size(op);
    List<float[]> expected = new ArrayList<>(), first = new ArrayList<>();
    try (Operation o = operation(op, 1, 0.25f)) {
      o.reference();
      for (int i = 0; i < o.out.length; i++) expected.add(o.output(i));
    }
    for (int threads = 1; threads <= most; threads++) {
      try (Operation o = operation(op, threads, 0.25f)) {
        o.run(maker(op));
        for (int i = 0; i < o.out.length; i++) {
          float[] y = o.output(i);
          if (threads > 1) assertArrayEquals(first.get(i), y, "output " + i);
          else first.add(y);
          for (int j = 0; j < n; j++) {
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
    int n = size(op);
    boolean[] inside = new boolean[n];
    for (Update.Segment s : op.segments()) {
      java.util.Arrays.fill(inside, (int) s.offset(), (int) s.offset() + s.length(), true);
    }
    try (Operation o = operation(op, 2, 0.25f); Operation before = operation(op, 1, 0.25f)) {
      o.run(maker(op));
      float[] x = before.output(0), y = o.output(0);
      int changed = 0;
      for (int j = 0; j < n; j++) {
        if (inside[j]) changed += x[j] != y[j] ? 1 : 0;
        else if (x[j] != y[j]) assertEquals(x[j], y[j], "gap at " + j);
      }
      assertTrue(changed > 0.99 * n, changed + " of " + n);
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
