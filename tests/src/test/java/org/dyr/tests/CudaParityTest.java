package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.KernelSet;
import org.dyr.op.Attention;
import org.dyr.op.Cast;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * The op table on the device cuda, emulated or a card, in fp32, bf16 and fp16, against the plain loops in double on the
 * same rounded numbers. {@code -Ddyr.tests.only=Attention} takes the ops whose names begin so, a regular expression;
 * a colon and the type stand behind the name, as in {@code Attention.*:BF16}.
 */
class CudaParityTest {
  private static final Pattern ONLY = Pattern.compile(System.getProperty("dyr.tests.only", ""));

  private static Backend backend;
  private static String why;

  static {
    try {
      backend = Devices.open("cuda", DeviceOptions.defaults());
    } catch (IllegalArgumentException e) {
      why = e.getMessage();
    }
  }

  @AfterAll static void close() {
    if (backend != null) backend.close();
  }

  @TestFactory Stream<DynamicNode> kernelsAgreeWithThePlainLoops() {
    assumeTrue(backend != null, () -> why);
    return Stream.of(DType.F32, DType.BF16, DType.F16).map(type -> dynamicContainer(type.toString(), Stream
        .concat(OpCases.all().stream(), empty())
        .filter(c -> ONLY.matcher(c.op().name() + ":" + type).lookingAt() && isFor(type, c))
        .map(c -> dynamicTest(c.name(), () -> check(type, c)))));
  }

  /** Products over no rows, columns or depth, which the sets of the CPU do not take. */
  private static Stream<OpCase> empty() {
    return Stream.of(new int[] {0, 5, 3}, new int[] {5, 0, 3}, new int[] {4, 3, 0}).flatMap(s -> {
      int m = s[0], n = s[1], k = s[2];
      return Stream.of(OpCase.of(new MatMul(false, true), Arg.of(m, k), Arg.of(n, k)),
          OpCase.of(new Gemm(false, true, false, true, false), Arg.of(m, k), Arg.of(n, k), Arg.of(m, n)),
          OpCase.of(new Gemm(true, false, true, true, true, true), Arg.of(k, m), Arg.of(k, n), Arg.of(n), Arg.of(m, n)));
    });
  }

  /**
   * Updates are of fp32; casts have cases of their own; the largest rows would only repeat fp32's, but for attention,
   * which has kernels for each type.
   */
  private static boolean isFor(DType type, OpCase c) {
    boolean isAttention = c.op() instanceof Attention || c.op() instanceof Attention.Grad;
    return type == DType.F32 || !(c.op() instanceof Update) && !(c.op() instanceof Cast)
        && (isAttention || HalfParityTest.isCheap(c));
  }

  private static void check(DType type, OpCase c) {
    Spec[] specs = c.specs(type);
    Optional<KernelSet> set = backend.choose(c.op(), specs);
    assertEquals(!Unsupported.by("cuda", DeviceOptions.AUTO, type, c), set.isPresent(),
        () -> "cuda has a kernel, held against Unsupported, for " + c);
    if (set.isEmpty()) return;
    double[][] in = c.draw();
    for (int i = 0; i < in.length; i++) {
      DType seen = isRoundedBias(type, c, i) ? type : specs[i].type();
      for (int e = 0; e < in[i].length; e++) in[i][e] = HalfParityTest.rounded(seen, in[i][e]);
    }
    double[][] expected = Oracle.run(c, in), actual = ParityTest.launch(backend, set.get(), c, specs, in);
    if (type == DType.F32) {
      ParityTest.compare(c, specs, expected, actual);
      return;
    }
    Spec[] outs = c.op().outputs(specs);
    for (int o = 0; o < outs.length; o++) {
      HalfParityTest.compare(c, specs, outs[o].type(), expected[o], actual[o]);
    }
  }

  /** Whether the input is a bias that cuBLASLt reads in the type of a result of 16 bits. */
  private static boolean isRoundedBias(DType type, OpCase c, int input) {
    return type.isHalf() && c.op() instanceof Gemm g && g.bias() && !g.wide() && input == 2;
  }

  @TestFactory Stream<DynamicNode> embeddingsAreRoundedOnceTheyAreNormalized() {
    assumeTrue(backend != null, () -> why);
    if (!ONLY.matcher("EmbeddingLayerNorm").lookingAt()) return Stream.empty();
    return Stream.of(DType.BF16, DType.F16).flatMap(type -> IntStream.of(1, 33, 384).mapToObj(columns -> dynamicTest(
        type + " " + columns, () -> {
          EmbeddingLayerNorm op = new EmbeddingLayerNorm(3, 1e-12, Optional.empty(), true);
          OpCase wide = OpCase.of(op, OpCases.embedded(3, 7, columns)), narrow = OpCase.of(op.to(type), wide.in());
          Spec[] specs = wide.specs(DType.F32);
          KernelSet set = backend.choose(narrow.op(), specs).orElseThrow();
          double[][] in = wide.draw(), expected = ParityTest.launch(backend, set, wide, specs, in);
          for (int i = 0; i < expected[0].length; i++) expected[0][i] = HalfParityTest.rounded(type, expected[0][i]);
          double[][] actual = ParityTest.launch(backend, set, narrow, specs, in);
          for (int o = 0; o < actual.length; o++) assertArrayEquals(expected[o], actual[o], "output " + o);
        })));
  }
}
