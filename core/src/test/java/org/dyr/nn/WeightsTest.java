package org.dyr.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import java.util.Set;
import org.dyr.cpu.CpuProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Slab;
import org.dyr.graph.Bucket;
import org.dyr.graph.Graph;
import org.dyr.op.Cast;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights for scoring alone, beside those of one type. */
class WeightsTest {
  private static final Bucket BUCKET = new Bucket(24, 5, 1);
  private static final BertConfig CONFIG = BertConfig.base().sized(16, 2, 2).withRelativePositions(true);

  private final Backend backend = new CpuProvider().open(new DeviceOptions(1, "reference"));
  private final Bert bert = new Bert(CONFIG);

  @AfterEach void close() {
    backend.close();
  }

  private Weights whole() {
    return new Weights(backend, DType.F32, bert.parameters());
  }

  private static boolean isMatrixOfLayer(Parameter p) {
    return p.shape().rank() == 2 && p.name().startsWith("bert.encoder.layer.");
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16"})
  void matricesOfTheEncoderAreHeldAsItComputes(DType compute) {
    try (Weights weights = Weights.forScoring(backend, compute, bert)) {
      long bytes = 0;
      for (Parameter p : bert.parameters()) {
        DType type = isMatrixOfLayer(p) ? compute : DType.F32;
        assertEquals(type, weights.spec(p).type(), p.name());
        assertEquals(p.shape().size() * type.bytes(), weights.span(p).bytes(), p.name());
        bytes += Math.ceilDiv(p.shape().size() * type.bytes(), 64) * 64;
      }
      assertEquals(bytes, weights.bytes());
      assertEquals(DType.F32, weights.type());
      assertEquals(compute, weights.compute());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void whereNothingIsRoundedTheyAreOfOneType(DType compute) {
    try (Weights weights = Weights.forScoring(backend, compute, bert)) {
      for (Parameter p : bert.parameters()) assertEquals(compute, weights.spec(p).type());
      weights.requireTrainable();
    }
  }

  /** In the graph of a batch no weight is cast; with weights of one type each matrix of the encoder is. */
  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16"})
  void noWeightIsCast(DType compute) {
    try (Weights kept = whole(); Weights rounded = Weights.forScoring(backend, compute, bert)) {
      assertEquals(bert.parameters().stream().filter(WeightsTest::isMatrixOfLayer).count(), casts(kept, compute));
      assertEquals(0, casts(rounded, compute));
    }
  }

  private long casts(Weights weights, DType compute) {
    Pass pass = new Pass(weights, BUCKET, false, compute);
    bert.apply(pass);
    Graph graph = pass.graph();
    return graph.nodes().stream()
        .filter(n -> n.op() instanceof Cast && graph.bound().containsKey(n.in().getFirst())).count();
  }

  @Test void randomWeightsAreThoseOfFp32Rounded() {
    try (Weights kept = whole(); Weights rounded = Weights.forScoring(backend, DType.BF16, bert);
        Arena arena = Arena.ofConfined()) {
      kept.initialize(1, CONFIG.initializerRange());
      rounded.initialize(1, CONFIG.initializerRange());
      for (Parameter p : bert.parameters()) {
        MemorySegment x = kept.view(kept.slab(), p, arena), y = rounded.view(rounded.slab(), p, arena);
        for (long i = 0; i < p.shape().size(); i++) {
          float expected = x.getAtIndex(ValueLayout.JAVA_FLOAT, i);
          if (isMatrixOfLayer(p)) assertEquals(Half.toBf16(expected), y.getAtIndex(ValueLayout.JAVA_SHORT, i));
          else assertEquals(expected, y.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
      }
    }
  }

  /** Nor is one stream the other's, begun a few draws later. */
  @Test void neighbouringSeedsShareNoNumbers() {
    try (Weights one = whole(); Weights next = whole()) {
      for (long seed : new long[] {-1, 0, 42}) {
        one.initialize(seed, CONFIG.initializerRange());
        next.initialize(seed + 1, CONFIG.initializerRange());
        for (Parameter p : bert.parameters()) {
          if (!isMatrixOfLayer(p)) continue;
          Set<Float> drawn = new HashSet<>();
          for (float x : one.span(p).segment().toArray(ValueLayout.JAVA_FLOAT)) drawn.add(x);
          long shared = 0;
          for (float x : next.span(p).segment().toArray(ValueLayout.JAVA_FLOAT)) if (drawn.contains(x)) shared++;
          assertTrue(shared < p.shape().size() / 20, "%d of %s after seed %d".formatted(shared, p, seed));
        }
      }
    }
  }

  @Test void weightsForScoringAreNotTrained() {
    try (Weights weights = Weights.forScoring(backend, DType.BF16, bert);
        Slab gradients = backend.allocate(weights.bytes(), "gradients")) {
      Parameter p = bert.parameters().getFirst();
      String expected = "weights loaded for scoring alone are not trained or written";
      assertEquals(expected, assertThrows(IllegalArgumentException.class,
          () -> new Pass(weights, BUCKET, true, DType.BF16)).getMessage());
      assertEquals(expected, assertThrows(IllegalArgumentException.class, weights::segments).getMessage());
      assertEquals(expected, assertThrows(IllegalArgumentException.class,
          () -> weights.spanIn(gradients, p)).getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64", "F16"})
  void roundedWeightsComputeInNoOtherType(DType other) {
    try (Weights weights = Weights.forScoring(backend, DType.BF16, bert)) {
      assertEquals("weights in BF16 cannot compute in " + other,
          assertThrows(IllegalArgumentException.class, () -> new Pass(weights, BUCKET, false, other)).getMessage());
      new Pass(weights, BUCKET, false);
    }
  }
}
