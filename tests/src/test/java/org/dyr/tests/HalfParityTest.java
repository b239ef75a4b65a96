package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.cpu.vector.VectorKernels;
import org.dyr.cpu.widening.WideningKernels;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;
import org.dyr.op.Attention;
import org.dyr.op.Cast;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.FusedOp;
import org.dyr.op.GemmRounding;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The op table in bf16 and fp16: the plain loops, fp32 kernels behind widening, and in bf16 native kernels, against the
 * plain loops in double on the same rounded numbers. Sums are wider than their operands, so a result is off by its own
 * rounding and the fp32 tolerance.
 */
class HalfParityTest {
  private static final List<DType> HALVES = List.of(DType.BF16, DType.F16);

  @TestFactory Stream<DynamicTest> plainLoops() {
    return cases("", HALVES, workers -> new Reference(), c -> !(c.op() instanceof FusedOp));
  }

  @TestFactory Stream<DynamicTest> widened() {
    return cases("", HALVES, HalfParityTest::widening, c -> !Unsupported.by("vector", DeviceOptions.AUTO, DType.F32, c));
  }

  @TestFactory Stream<DynamicTest> natively() {
    CpuKernelSetProvider provider = provider();
    assumeTrue(provider.unavailable().isEmpty(), () -> "native: " + provider.unavailable().get());
    return provider.cpuFeatures().stream().flatMap(features -> cases(features + " ", List.of(DType.BF16), workers ->
        provider.create(workers, new DeviceOptions(workers.count(), "native", features)),
        c -> !Unsupported.by("native", features, DType.BF16, c)));
  }

  private static CpuKernelSetProvider provider() {
    return ServiceLoader.load(CpuKernelSetProvider.class).stream().map(ServiceLoader.Provider::get)
        .filter(p -> p.name().equals("native")).findFirst().orElseThrow();
  }

  private static KernelSet widening(Workers workers) {
    return new WideningKernels(List.of(new VectorKernels(workers)), workers);
  }

  private static Stream<DynamicTest> cases(String label, List<DType> types, Function<Workers, KernelSet> set,
      Predicate<OpCase> has) {
    return types.stream().flatMap(type -> OpCases.all().stream()
        .filter(c -> has.test(c) && !(c.op() instanceof Update) && !(c.op() instanceof Cast) && isCheap(c))
        .map(c -> dynamicTest(label + type + " " + c.name(), () -> check(type, set, c))));
  }

  /** Widening does not depend on sizes: the largest rows would only repeat fp32's. */
  static boolean isCheap(OpCase c) {
    Spec[] in = c.specs(DType.F64);
    long elements = 0;
    for (Spec s : in) elements += s.shape().size();
    return elements < 10_000 && c.op().flops(in) < 1_000_000;
  }

  private static void check(DType type, Function<Workers, KernelSet> sets, OpCase c) {
    Spec[] specs = c.specs(type);
    double[][] in = c.draw();
    for (int i = 0; i < in.length; i++) for (int e = 0; e < in[i].length; e++) in[i][e] = rounded(specs[i].type(), in[i][e]);
    double[][] expected = Oracle.run(c, asRead(type, c, in));
    Workers workers = new Workers(2);
    KernelSet set = sets.apply(workers);
    try (CpuBackend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
      assertTrue(set.supports(c.op(), specs), () -> set.name() + " has no kernel for " + c);
      double[][] actual = ParityTest.launch(backend, set, c, specs, in);
      Spec[] outs = c.op().outputs(specs);
      for (int o = 0; o < outs.length; o++) compare(c, specs, outs[o].type(), expected[o], actual[o]);
    }
  }

  /** The operands as the op's formula has them: a weight that the op rounds itself is rounded. */
  private static double[][] asRead(DType type, OpCase c, double[][] in) {
    if (!(c.op() instanceof GemmRounding)) return in;
    double[][] read = in.clone();
    read[GemmRounding.RIGHT] = Arrays.stream(in[GemmRounding.RIGHT]).map(x -> rounded(type, x)).toArray();
    return read;
  }

  static void compare(OpCase c, Spec[] specs, DType type, double[] expected, double[] actual) {
    for (int i = 0; i < expected.length; i++) {
      double want = rounded(type, expected[i]);
      String message = "element %d of %s: %s instead of %s%s".formatted(i, c, actual[i], expected[i], c.seed());
      if (!Double.isFinite(want)) assertEquals(want, actual[i], message);
      else assertEquals(expected[i], actual[i], tolerance(type, c.op(), specs, expected[i]), message);
    }
  }

  /**
   * The fp32 tolerance and half a unit in the last place, that of the smallest number at least. Attention may round its
   * probabilities, which sum to 1, before they meet the values, and its gradient takes the sum of p dp from do . o,
   * where o is rounded: those errors do not shrink with the result.
   */
  private static double tolerance(DType type, Op op, Spec[] specs, double expected) {
    double size = Math.abs(expected) + switch (op) {
      case Attention a -> 1;
      case Attention.Grad a -> 4;
      case RelativeAttention.Grad a -> 4;
      default -> 0;
    };
    double unit = switch (type) {
      case BF16 -> Math.max(0x1p-8 * size, 0x1p-134);
      case F16 -> Math.max(0x1p-11 * size, 0x1p-25);
      default -> 0;
    };
    return Tolerance.f32(op, specs, expected) + unit;
  }

  static double rounded(DType type, double x) {
    return switch (type) {
      case BF16 -> Half.fromBf16(Half.toBf16((float) x));
      case F16 -> Half.fromF16(Half.toF16((float) x));
      case F32 -> (float) x;
      default -> x;
    };
  }

  @TestFactory Stream<DynamicTest> embeddingsAreRoundedOnceTheyAreNormalized() {
    CpuKernelSetProvider provider = provider();
    assumeTrue(provider.unavailable().isEmpty(), () -> "native: " + provider.unavailable().get());
    return provider.cpuFeatures().stream().flatMap(features -> IntStream.of(1, 33, 384).mapToObj(columns -> dynamicTest(
        features + " " + columns, () -> {
          EmbeddingLayerNorm op = new EmbeddingLayerNorm(3, 1e-12, Optional.empty(), true);
          OpCase wide = OpCase.of(op, OpCases.embedded(3, 7, columns));
          OpCase narrow = OpCase.of(op.to(DType.BF16), wide.in());
          Spec[] specs = wide.specs(DType.F32);
          Workers workers = new Workers(2);
          KernelSet set = provider.create(workers, new DeviceOptions(workers.count(), "native", features));
          try (CpuBackend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
            double[][] in = wide.draw(), expected = ParityTest.launch(backend, set, wide, specs, in);
            for (int i = 0; i < expected[0].length; i++) expected[0][i] = rounded(DType.BF16, expected[0][i]);
            double[][] actual = ParityTest.launch(backend, set, narrow, specs, in);
            for (int o = 0; o < actual.length; o++) assertArrayEquals(expected[o], actual[o], "output " + o);
          }
        })));
  }

  /** Rounding is the same whoever does it: the bits of a product of weights that were rounded before. */
  @TestFactory Stream<DynamicTest> productsRoundAsCastsDo() {
    CpuKernelSetProvider provider = provider();
    assumeTrue(provider.unavailable().isEmpty(), () -> "native: " + provider.unavailable().get());
    return provider.cpuFeatures().stream().flatMap(features -> OpCases.all().stream()
        .filter(c -> c.op() instanceof GemmRounding).map(c -> dynamicTest(features + " " + c.name(), () -> {
          OpCase of = OpCase.of(((GemmRounding) c.op()).of(), c.in());
          Workers workers = new Workers(2);
          KernelSet set = provider.create(workers, new DeviceOptions(workers.count(), "native", features));
          try (CpuBackend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
            if (!set.supports(of.op(), of.specs(DType.BF16))) return;
            double[][] in = c.draw(), rounded = new double[in.length][];
            for (int i = 0; i < in.length; i++) {
              boolean half = of.specs(DType.BF16)[i].type() == DType.BF16;
              rounded[i] = half ? Arrays.stream(in[i]).map(x -> rounded(DType.BF16, x)).toArray() : in[i];
            }
            double[] weight = in[GemmRounding.RIGHT];
            double[][] expected = ParityTest.launch(backend, set, of, of.specs(DType.BF16), rounded.clone());
            rounded[GemmRounding.RIGHT] = weight;
            double[][] actual = ParityTest.launch(backend, set, c, c.specs(DType.BF16), rounded);
            for (int o = 0; o < actual.length; o++) assertArrayEquals(expected[o], actual[o], "output " + o);
          }
        })));
  }

  private static List<KernelSet> casting(DType half, Workers workers) {
    List<KernelSet> sets = new ArrayList<>(List.of(new Reference(), widening(workers)));
    CpuKernelSetProvider provider = provider();
    if (half != DType.BF16 || provider.unavailable().isPresent()) return sets;
    for (String features : provider.cpuFeatures()) {
      sets.add(provider.create(workers, new DeviceOptions(workers.count(), "native", features)));
    }
    return sets;
  }

  @Test void castsRoundToNearestEvenOnEveryPath() {
    double[] x = {0, -0.0, 1e-40, 70_000, -70_000, 1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-11, Float.MAX_VALUE, Double.NaN,
        Double.NEGATIVE_INFINITY, 1e-7, 3.14159, -2.71828, 65504, 65519, 65520};
    for (DType half : List.of(DType.BF16, DType.F16)) {
      OpCase narrow = OpCase.of(new Cast(half), Arg.values(x)), wide = OpCase.of(new Cast(DType.F32), Arg.values(x));
      double[] expected = new double[x.length];
      for (int i = 0; i < x.length; i++) expected[i] = rounded(half, (float) x[i]);
      Workers workers = new Workers(2);
      try (CpuBackend backend = new CpuBackend(workers, List.of(), PeakLoop.SCALAR)) {
        for (KernelSet set : casting(half, workers)) {
          double[] down = ParityTest.launch(backend, set, narrow, narrow.specs(DType.F32), narrow.draw())[0];
          assertArrayEquals(expected, down, set.name() + " to " + half);
          double[][] in = {expected};
          double[] up = ParityTest.launch(backend, set, wide, wide.specs(half), in)[0];
          assertArrayEquals(expected, up, set.name() + " from " + half);
        }
      }
    }
  }
}
