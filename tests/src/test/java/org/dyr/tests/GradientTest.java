package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Backprop;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Program;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.FusedOp;
import org.dyr.op.Gemm;
import org.dyr.op.GemmRounding;
import org.dyr.op.KeepingOp;
import org.dyr.op.Op;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Gradients against central differences, in double, on the plain loops: the loss is the sum of the op's first output,
 * each element with a weight of its own ({@link Weigh}). Every input is checked along a random direction, which no
 * wrong element escapes, and at a few single elements. A fused op's gradient is also held against that of its
 * decomposition.
 */
class GradientTest {
  private static final double AGREEMENT = 1e-6;
  private static final double FUSED_AGREEMENT = 1e-10;
  private static final double STEP = 4e-6;
  private static final int MOST_ELEMENTS = 8;

  /** Where one run of the op costs more than this, the direction has to do. */
  private static final long CHEAP = 500_000;
  private static final int COST_OF_AN_ELEMENT = 50;

  /** The ops that are made for gradients and updates, and have none themselves. */
  private static final Set<String> WITHOUT_GRADIENT =
      Set.of("SumRows", "GemmSumRows", "GemmActivation", "AbsorbedAttention", "SumSquares", "AllFinite",
          "IfFinite", "ClipFactor", "Lamb", "AdamWeightDecay", "Momentum", "Panels");

  private static boolean hasGradient(OpCase c) {
    Op op = c.op();
    return !(op instanceof GemmRounding || op.name().contains(".Grad") || WITHOUT_GRADIENT.contains(op.name()) || op instanceof Gemm g
        && g.inPlace() || op instanceof KeepingOp k && !k.kept() || c.panels().isPresent());
  }

  /** At an infinity there is neither a difference quotient nor a gradient. */
  private static boolean isFinite(OpCase c) {
    return Arrays.stream(c.draw()).flatMapToDouble(Arrays::stream).allMatch(Double::isFinite);
  }

  @TestFactory Stream<DynamicTest> agreesWithCentralDifferences() {
    return OpCases.all().stream().filter(c -> hasGradient(c) && c.op().aliasOf(0) < 0 && isFinite(c))
        .map(c -> DynamicTest.dynamicTest(c.name(), () -> check(c)));
  }

  @TestFactory Stream<DynamicTest> ofAFusedOpIsThatOfItsDecomposition() {
    return OpCases.all().stream().filter(c -> c.op() instanceof FusedOp && hasGradient(c) && isFinite(c))
        .map(c -> DynamicTest.dynamicTest(c.name(), () -> checkFused(c)));
  }

  /** In double no type is narrower: the cast is there, and changes nothing. */
  @Test void ofEmbeddingsThatAreCast() {
    OpCase c = OpCase.of(new EmbeddingLayerNorm(3, 1e-12, Optional.of(DType.F64), true), OpCases.embedded(3, 5, 7));
    check(c);
    checkFused(c);
  }

  @TestFactory Stream<DynamicTest> anOpWithoutGradientSaysSo() {
    Map<Class<?>, OpCase> one = new HashMap<>();
    OpCases.all().stream().filter(c -> !hasGradient(c)).forEach(c -> one.putIfAbsent(c.op().getClass(), c));
    return one.values().stream().map(c -> DynamicTest.dynamicTest(c.op().name(), () -> {
      try (Backend backend = Oracle.reference(); Recorded r = new Recorded(backend, c, false)) {
        Exception e = assertThrows(UnsupportedOperationException.class, () -> r.differentiate());
        assertTrue(e.getMessage().contains(c.op().name().replaceAll("\\[.*", "")), e.getMessage());
      }
    }));
  }

  /** A case as a graph with its loss, ready to be compiled. */
  private static final class Recorded implements AutoCloseable {
    final Backend backend;
    final Graph graph = new Graph(DType.F64);
    final Memory memory;
    final double[][] drawn;
    final List<Span> inputs = new ArrayList<>();
    final List<Integer> wanted = new ArrayList<>();
    private final Map<Value, Span> gradients = new HashMap<>();
    private final Map<Integer, Span> gradientOf = new HashMap<>();
    private final List<Slab> workspaces = new ArrayList<>();

    /** Records the op, or, where it is fused and {@code decomposed} asks for it, its decomposition. */
    Recorded(Backend backend, OpCase c, boolean decomposed) {
      this.backend = backend;
      drawn = c.draw();
      Spec[] specs = c.specs(DType.F64);
      Spec[] outs = c.op().outputs(specs);
      memory = Memory.of(backend, 0, specs, specs, outs);
      Value[] in = new Value[specs.length];
      for (int i = 0; i < in.length; i++) {
        inputs.add(memory.put(specs[i], drawn[i]));
        in[i] = graph.bound(specs[i], inputs.get(i));
        if (specs[i].type() != DType.F64 || c.op() instanceof Scale && i == 1) continue;
        wanted.add(i);
        gradientOf.put(i, memory.put(specs[i], new double[drawn[i].length]));
        gradients.put(in[i], gradientOf.get(i));
      }
      Value y = decomposed ? ((FusedOp) c.op()).decompose(graph, in)[0] : graph.emit(c.op(), in)[0];
      Value weights = graph.bound(y.spec(), memory.put(y.spec(), weights(y.spec())));
      graph.output("loss", graph.emit1(new Sum(), graph.emit1(new Weigh(), y, weights)));
    }

    private static double[] weights(Spec spec) {
      Random random = new Random(OpCase.SEED);
      double[] c = new double[Math.toIntExact(spec.shape().size())];
      for (int i = 0; i < c.length; i++) c[i] = 3 * random.nextDouble() - 1.5;
      return c;
    }

    /** Added to zeros, so that inputs may share a gradient. */
    Compiler.Compiled differentiate() {
      return new Compiler(backend).compile(graph, "loss", gradients, true);
    }

    Program prepare(Compiler.Compiled compiled) {
      Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace");
      workspaces.add(workspace);
      return compiled.program(backend, workspace);
    }

    /** Every wanted input's gradient where it stands. */
    Map<Integer, double[]> gradients() {
      Program program = prepare(differentiate());
      try (Slab one = backend.allocate(Double.BYTES, "loss scale")) {
        Memory.write(one.host(), DType.F64, 0, 1);
        program.write(Backprop.LOSS_SCALE, one.host());
      }
      program.run();
      Map<Integer, double[]> read = new HashMap<>();
      for (int i : wanted) read.put(i, Memory.read(gradientOf.get(i), Spec.of(DType.F64, drawn[i].length)));
      return read;
    }

    @Override public void close() {
      workspaces.forEach(Slab::close);
      memory.close();
    }
  }

  private static void check(OpCase c) {
    try (Backend backend = Oracle.reference();
        Recorded forward = new Recorded(backend, c, false);
        Recorded backward = new Recorded(backend, c, false);
        Slab host = backend.allocate(Double.BYTES, "loss")) {
      Map<Integer, double[]> gradients = backward.gradients();
      backward.memory.checkGuards(c.name());
      Program program = forward.prepare(new Compiler(backend).compile(forward.graph));
      Random random = new Random(OpCase.SEED + 1);
      for (int i : forward.wanted) {
        int n = forward.drawn[i].length;
        double[] analytic = gradients.get(i);
        double[] direction = new double[n];
        for (int e = 0; e < n; e++) direction[e] = random.nextBoolean() ? 1 : -1;
        compare(c, "input " + i + " along a direction", slope(program, host, forward, i, direction),
            dot(analytic, direction));
        int elements = isCheap(c) ? MOST_ELEMENTS : 0;
        for (int k = 0; k < Math.min(n, elements); k++) {
          int e = n <= elements ? k : random.nextInt(n);
          double[] axis = new double[n];
          axis[e] = 1;
          compare(c, "input " + i + " element " + e, slope(program, host, forward, i, axis), analytic[e]);
        }
      }
    }
  }

  private static boolean isCheap(OpCase c) {
    Spec[] in = c.specs(DType.F64);
    long elements = 0;
    for (Spec s : in) elements += s.shape().size();
    return c.op().flops(in) + COST_OF_AN_ELEMENT * elements <= CHEAP;
  }

  /** The derivative of the loss along a direction of input {@code i}, by central differences. */
  private static double slope(Program program, Slab host, Recorded r, int i, double[] direction) {
    double[] moved = new double[direction.length];
    double[] loss = new double[2];
    for (int side = 0; side < 2; side++) {
      for (int e = 0; e < moved.length; e++) moved[e] = r.drawn[i][e] + (side == 0 ? STEP : -STEP) * direction[e];
      Memory.write(r.inputs.get(i), DType.F64, moved);
      program.run();
      program.read("loss", host.host());
      loss[side] = Memory.read(new Span(host, 0, Double.BYTES), Spec.of(DType.F64, 1))[0];
    }
    Memory.write(r.inputs.get(i), DType.F64, r.drawn[i]);
    return (loss[0] - loss[1]) / (2 * STEP);
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  private static void compare(OpCase c, String where, double numeric, double analytic) {
    assertEquals(numeric, analytic, AGREEMENT * Math.max(1, Math.abs(numeric)), () -> where + " of " + c + c.seed());
  }

  private static void checkFused(OpCase c) {
    if (c.op().aliasOf(0) >= 0) throw new IllegalArgumentException(c + " has no gradient");
    try (Backend backend = Oracle.reference();
        Recorded fused = new Recorded(backend, c, false);
        Recorded decomposed = new Recorded(backend, c, true)) {
      Map<Integer, double[]> expected = decomposed.gradients();
      fused.gradients().forEach((i, gradient) -> {
        for (int e = 0; e < gradient.length; e++) {
          double want = expected.get(i)[e];
          String where = "input %d element %d of %s%s".formatted(i, e, c, c.seed());
          assertEquals(want, gradient[e], FUSED_AGREEMENT * Math.max(1, Math.abs(want)), where);
        }
      });
    }
  }
}
