package org.dyr.graph;

import static org.dyr.graph.Doubles.f64;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Sum;
import org.dyr.op.SumSquares;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BackpropTest {
  private final Backend backend = Doubles.cpu();
  private final Slab slab = backend.allocate(1024, "test");
  private final Slab workspace = backend.allocate(4096, "workspace");
  private final Graph graph = new Graph(DType.F64);

  @AfterEach void close() {
    workspace.close();
    slab.close();
    backend.close();
  }

  private Value parameter(long offset, double... x) {
    return graph.bound(f64(1, x.length), Doubles.put(slab, offset, x));
  }

  private Program compile(Value loss, Map<Value, Span> gradients, boolean accumulate) {
    graph.output("loss", loss);
    return new Compiler(backend).compile(graph, "loss", gradients, accumulate).program(backend, workspace);
  }

  private void run(Program program, double scale) {
    Doubles.write(program, Backprop.LOSS_SCALE, scale);
    program.run();
  }

  private Value sum(Value v) {
    return graph.emit1(new Sum(), v);
  }

  @Test void severalReadersGradientsAreAdded() {
    Value p = parameter(0, 1, 2, 3);
    Value twice = graph.emit1(new Add(false), p, p);
    Value loss = sum(graph.emit1(new Add(false), twice, graph.emit1(new Activation(Activation.Kind.RELU), p)));
    Span d = Doubles.put(slab, 64, 9, 9, 9);
    run(compile(loss, Map.of(p, d), false), 1);
    assertArrayEquals(new double[] {3, 3, 3}, Doubles.get(d));
  }

  @Test void theLossScaleCarriesThrough() {
    Value p = parameter(0, 1, 2, 3);
    Span d = Doubles.put(slab, 64, 9, 9, 9);
    Program program = compile(sum(p), Map.of(p, d), false);
    run(program, 1024);
    assertArrayEquals(new double[] {1024, 1024, 1024}, Doubles.get(d));
    run(program, 2);
    assertArrayEquals(new double[] {2, 2, 2}, Doubles.get(d));
  }

  @Test void accumulatingAddsToWhatIsThere() {
    Value x = parameter(0, 1, 2), w = parameter(64, 3, 5);
    Value loss = sum(graph.emit1(new MatMul(false, true), x, w));
    Span d = Doubles.put(slab, 128, 10, 20);
    Program program = compile(loss, Map.of(w, d), true);
    run(program, 1);
    assertArrayEquals(new double[] {11, 22}, Doubles.get(d));
    run(program, 1);
    assertArrayEquals(new double[] {12, 24}, Doubles.get(d));
  }

  /** Else all that the sums read would have to live until the end of the program. */
  @Test void aGradientIsAddedAsSoonAsItIsComplete() {
    Value x = graph.bound(f64(1, 2), Doubles.put(slab, 0, 1, 2));
    Value first = graph.bound(f64(2, 2), Doubles.put(slab, 64, 1, 2, 3, 4));
    Value second = graph.bound(f64(2, 2), Doubles.put(slab, 128, 1, 2, 3, 4));
    Value inner = graph.emit1(new MatMul(false, false), x, first);
    Value loss = sum(graph.emit1(new MatMul(false, false), inner, second));
    int forward = graph.nodes().size();
    Span d1 = Doubles.put(slab, 192, 0, 0, 0, 0), d2 = Doubles.put(slab, 256, 0, 0, 0, 0);
    Backprop.append(graph, loss, graph.input(Backprop.LOSS_SCALE, loss.spec()), Map.of(first, d1, second, d2), true);
    assertEquals(List.of("Broadcast", "MatMul", "MatMul", "Add", "MatMul", "Add"),
        graph.nodes().subList(forward, graph.nodes().size()).stream().map(n -> n.op().name()).toList());
  }

  @Test void onlyWhatLeadsToAParameterIsRecorded() {
    Value x = graph.input("x", f64(4, 3)), w = parameter(0, 1, 2, 3);
    Value loss = sum(graph.emit1(new MatMul(false, true), x, w));
    compile(loss, Map.of(w, slab.span(64, 24)), false);
    assertEquals(2, graph.nodes().stream().filter(n -> n.op() instanceof MatMul).count(),
        "forward, and the gradient of w");
  }

  @Test void aParameterThatTheLossDoesNotReachIsAnError() {
    Value used = parameter(0, 1, 2), unused = parameter(64, 3, 4);
    Map<Value, Span> gradients = Map.of(used, slab.span(128, 16), unused, slab.span(192, 16));
    String message =
        assertThrows(IllegalArgumentException.class, () -> compile(sum(used), gradients, false)).getMessage();
    assertTrue(message.contains("does not depend on " + unused), message);
  }

  @Test void twoParametersCannotShareOneGradientsMemory() {
    Value a = parameter(0, 1, 2), b = parameter(64, 3, 4);
    Value loss = sum(graph.emit1(new Add(false), a, b));
    Map<Value, Span> gradients = Map.of(a, slab.span(128, 16), b, slab.span(192, 16));
    String message = assertThrows(IllegalArgumentException.class, () -> compile(loss, gradients, false)).getMessage();
    assertTrue(message.contains("share"), message);
  }

  @Test void anOpWithoutGradientIsAnError() {
    Value p = parameter(0, 1, 2);
    Value loss = graph.emit1(new SumSquares(), p);
    String message = assertThrows(UnsupportedOperationException.class,
        () -> compile(loss, Map.of(p, slab.span(64, 16)), false)).getMessage();
    assertEquals("SumSquares has no gradient", message);
  }

  /** The mean is kept for the backward; a loss built on it would lose its gradient. */
  @Test void aGradientThatArrivesWhereNoneIsTakenIsAnError() {
    for (boolean alsoFirst : new boolean[] {false, true}) {
      Graph g = new Graph(DType.F64);
      Value p = g.bound(f64(1, 2), Doubles.put(slab, 0, 1, 2)), w = g.input("w", f64(2)), b = g.input("b", f64(2));
      Value loss;
      try (Graph.Scope _ = g.scope("norm")) {
        Value[] y = g.emit(new LayerNorm(1e-6), p, w, b);
        Value mean = g.emit1(new Sum(), y[1]);
        loss = alsoFirst ? g.emit1(new Add(false), mean, g.emit1(new Sum(), y[0])) : mean;
      }
      String message = assertThrows(UnsupportedOperationException.class,
          () -> Backprop.append(g, loss, g.input(Backprop.LOSS_SCALE, loss.spec()), Map.of(p, slab.span(64, 16)), false))
          .getMessage();
      assertEquals("LayerNorm has no gradient for its output 1, which the loss depends on   at norm", message);
    }
  }

  @Test void gradientNodesCarryTheirModulesPath() {
    Value x = parameter(0, 1, 2), b = graph.bound(f64(2), Doubles.put(slab, 64, 3, 4));
    Value y;
    try (Graph.Scope _ = graph.scope("head")) {
      y = graph.emit1(new AddBias(), x, b);
    }
    compile(sum(y), Map.of(b, slab.span(128, 16)), false);
    assertTrue(graph.nodes().stream().anyMatch(n -> n.path().equals("head.grad")), "no node at head.grad");
  }
}
