package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.CpuProvider;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Backprop;
import org.dyr.graph.Compiler;
import org.dyr.graph.Fusion;
import org.dyr.graph.Fusions;
import org.dyr.graph.Graph;
import org.dyr.graph.Node;
import org.dyr.graph.Program;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.FusedOp;
import org.dyr.op.Gemm;
import org.dyr.op.Op;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.dyr.tests.FusionSamples.Recorded;
import org.dyr.tests.FusionSamples.Sample;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every row of the fusion table: the fused program gives what the unfused one gives, values and gradients; who reads an
 * inner value, or the result, still sees the right one; a device without the kernel runs unfused. In double every fused
 * op has an interpreted kernel ({@link Interpreted}); in float the CPU's own stack is held to the same.
 */
class FusionTest {
  private static final double SAME_IN_DOUBLE = 1e-12;
  private static final double SAME_IN_FLOAT = 2e-5;

  /** No inner value is read from outside. */
  private static final int NOBODY = -1;

  private static final List<String> ROWS = Fusions.table().stream().map(Fusion::name).toList();

  private static Stream<DynamicTest> forEachSample(Consumer<Sample> test) {
    return FusionSamples.all().stream().map(s -> DynamicTest.dynamicTest(s.toString(), () -> test.accept(s)));
  }

  @Test void everyRowHasASample() {
    Set<String> sampled = FusionSamples.all().stream().map(Sample::row).collect(Collectors.toSet());
    assertEquals(Set.copyOf(ROWS), sampled, "rows of the fusion table, and those with a sample in FusionSamples");
    assertEquals(Set.copyOf(ROWS).size(), ROWS.size(), "two rows have one name: " + ROWS);
  }

  @Test void anUnknownNameToSwitchOffIsAnError() {
    try (Backend backend = Oracle.reference()) {
      Compiler compiler = new Compiler(backend, Set.of("no-such-row"));
      Exception e = assertThrows(IllegalArgumentException.class, () -> compiler.compile(new Graph(DType.F64)));
      assertTrue(e.getMessage().contains("no-such-row") && e.getMessage().contains("attention"), e.getMessage());
    }
  }

  @TestFactory Stream<DynamicTest> fusedEqualsUnfused() {
    return forEachSample(s -> {
      Result off = interpreted(s, Set.of(s.row()), NOBODY);
      Result on = interpreted(s, Set.of(), NOBODY);
      assertTrue(s.makes().test(on.last), () -> s + " was not fused: " + on.ops);
      assertFalse(s.makes().test(off.last), () -> s + " was fused though off: " + off.ops);
      assertSame(off, on, SAME_IN_DOUBLE);
    });
  }

  @TestFactory Stream<DynamicTest> aSecondReaderOfAnInnerValueKeepsIt() {
    return FusionSamples.all().stream().flatMap(s -> IntStream.range(0, innerValues(s)).mapToObj(
        inner -> DynamicTest.dynamicTest(s + ", inner value " + inner, () -> {
          Result on = interpreted(s, Set.of(), inner);
          assertTrue(on.innerIsMade, () -> s + ": the value that is read twice has disappeared: " + on.ops);
          assertSame(interpreted(s, Set.copyOf(ROWS), inner), on, SAME_IN_DOUBLE);
        })));
  }

  @TestFactory Stream<DynamicTest> withoutTheKernelItRunsUnfused() {
    return forEachSample(s -> {
      try (Backend plain = Oracle.reference()) {
        Result on = run(plain, DType.F64, s, Set.of(), NOBODY);
        assertTrue(on.ops.stream().noneMatch(FusedOp.class::isInstance), () -> "not lowered: " + on.ops);
        assertSame(run(plain, DType.F64, s, Set.copyOf(ROWS), NOBODY), on, 0);
      }
    });
  }

  @TestFactory Stream<DynamicTest> theCpusOwnStackAgrees() {
    return forEachSample(s -> {
      try (Backend cpu = new CpuProvider().open(new DeviceOptions(2, "auto"))) {
        Result on = run(cpu, DType.F32, s, Set.of(), NOBODY);
        assertSame(run(cpu, DType.F32, s, Set.copyOf(ROWS), NOBODY), on, SAME_IN_FLOAT);
      }
    });
  }

  /** A device that has the kernel adds it with the norm; the CPU, whose products take it for nothing, with those. */
  @Test void aBiasBetweenProductAndNorm() {
    Sample s = FusionSamples.productIntoNorm();
    Result on = interpreted(s, Set.of(), NOBODY), off = interpreted(s, Set.copyOf(ROWS), NOBODY);
    assertSame(off, on, SAME_IN_DOUBLE);
    assertTrue(on.last instanceof DropoutAddLayerNorm n && n.bias(), () -> "the norm has no bias: " + on.ops);
    assertTrue(on.ops.stream().noneMatch(SumRows.class::isInstance), () -> "a pass for the bias's gradient: " + on.ops);
    try (Backend cpu = new CpuProvider().open(new DeviceOptions(2, "auto"))) {
      Result there = run(cpu, DType.F32, s, Set.of(), NOBODY);
      assertTrue(there.last instanceof DropoutAddLayerNorm n && !n.bias(), () -> "not the norm alone: " + there.ops);
      Gemm product = new Gemm(false, true, true, false, false);
      assertTrue(there.ops.contains(product), () -> "not in the product: " + there.ops);
    }
  }

  /**
   * What a program gave: named values and gradients; the ops it ran; which made the result; whether the inner value was
   * made.
   */
  private record Result(Map<String, double[]> values, List<Op> ops, Op last, boolean innerIsMade) {}

  private static void assertSame(Result expected, Result actual, double tolerance) {
    assertEquals(expected.values.keySet(), actual.values.keySet());
    expected.values.forEach((name, want) -> {
      double[] got = actual.values.get(name);
      for (int i = 0; i < want.length; i++) {
        assertEquals(want[i], got[i], tolerance * Math.max(1, Math.abs(want[i])), name + " element " + i);
      }
    });
  }

  private static Result interpreted(Sample s, Set<String> off, int read) {
    try (Interpreted set = new Interpreted();
        Backend backend = new CpuBackend(new Workers(1), List.of(set), PeakLoop.SCALAR)) {
      return run(backend, DType.F64, s, off, read);
    }
  }

  private static int innerValues(Sample s) {
    Graph graph = new Graph(DType.F64);
    Value[] in = s.in().stream().map(a -> graph.input("in " + graph.inputs().size(),
        a.spec(DType.F64))).toArray(Value[]::new);
    return s.body().record(graph, in).inner().size();
  }

  /** Compiles and runs the sample under a weighted sum, with its gradients where it has them. */
  private static Result run(Backend backend, DType type, Sample s, Set<String> off, int read) {
    Random random = new Random(OpCase.SEED);
    Spec[] specs = s.in().stream().map(a -> a.spec(type)).toArray(Spec[]::new);
    try (Memory memory = new Memory(backend, 1 << 16)) {
      Graph graph = new Graph(type);
      Value[] in = new Value[specs.length];
      Map<Value, Span> gradients = new LinkedHashMap<>();
      Map<String, Span> gradientOf = new LinkedHashMap<>();
      for (int i = 0; i < in.length; i++) {
        in[i] = graph.bound(specs[i], memory.put(specs[i], s.in().get(i).draw(random)));
        if (!specs[i].type().isFloating()) continue;
        Span gradient = memory.put(specs[i], new double[Math.toIntExact(specs[i].shape().size())]);
        gradients.put(in[i], gradient);
        gradientOf.put("gradient " + i, gradient);
      }
      Recorded r = s.body().record(graph, in);
      Value inner = read == NOBODY ? null : r.inner().get(read);
      if (inner != null) graph.output("inner sum", graph.emit1(new Sum(), inner));
      Spec y = r.result().spec();
      Value c = graph.bound(y, memory.put(y, Arg.of(y.shape().dims()).draw(random)));
      graph.output("result", r.result());
      graph.output("loss", graph.emit1(new Sum(), graph.emit1(new Weigh(), r.result(), c)));
      Compiler compiler = new Compiler(backend, off);
      Compiler.Compiled compiled = s.hasGradient()
          ? compiler.compile(graph, "loss", gradients, true) : compiler.compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace")) {
        Map<String, double[]> values = values(backend, graph, compiled.program(backend, workspace));
        gradientOf.forEach((name, span) -> values.put(name, Memory.read(span,
            Spec.of(type, (int) span.bytes() / type.bytes()))));
        memory.checkGuards(s.toString());
        List<Op> ops = new ArrayList<>();
        graph.nodes().forEach(n -> ops.add(n.op()));
        ops.removeIf(Weigh.class::isInstance);
        return new Result(values, ops, producer(graph, r.result()), inner != null && producer(graph, inner) != null);
      }
    }
  }

  private static Op producer(Graph graph, Value v) {
    return graph.nodes().stream().filter(n -> n.out().contains(v)).map(Node::op).findFirst().orElse(null);
  }

  private static Map<String, double[]> values(Backend backend, Graph graph, Program program) {
    try (Slab host = backend.allocate(1 << 12, "host")) {
      if (program.takes(Backprop.LOSS_SCALE)) {
        Memory.write(host.host(), graph.type(), 0, 1);
        program.write(Backprop.LOSS_SCALE, host.host().asSlice(0, graph.type().bytes()));
      }
      program.run();
      Map<String, double[]> values = new LinkedHashMap<>();
      graph.outputs().forEach((name, v) -> {
        program.read(name, host.host());
        values.put(name, Memory.read(host.span(0, v.spec().bytes()), v.spec()));
      });
      return values;
    }
  }
}
