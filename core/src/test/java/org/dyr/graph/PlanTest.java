package org.dyr.graph;

import static org.dyr.graph.Doubles.f64;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.MatMul;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;

class PlanTest {
  private static final Activation TANH = new Activation(Activation.Kind.TANH);

  private static Plan plan(Graph graph) {
    try (Backend backend = Doubles.cpu()) {
      return Plan.of(graph, backend);
    }
  }

  /** Unary, binary, in-place and shrinking ops over values of random age. */
  private static Graph random(Random random) {
    Graph graph = new Graph(DType.F64);
    List<Value> usable = new ArrayList<>(List.of(graph.input("x", f64(1 + random.nextInt(40), 1 + random.nextInt(9)))));
    for (int i = 0; i < 40; i++) {
      Value a = usable.get(random.nextInt(usable.size()));
      switch (random.nextInt(5)) {
        case 0 -> usable.add(graph.emit1(new SumRows(), a));
        case 1 -> usable.add(graph.emit1(new Sum(), a));
        case 2 -> {
          usable.remove(a);
          usable.add(graph.emit1(new Add(true), a, graph.emit1(TANH, a)));
        }
        case 3 -> usable.add(graph.emit1(new Add(false), a, a));
        default -> usable.add(graph.emit1(TANH, a));
      }
    }
    graph.output("y", usable.getLast());
    graph.output("z", usable.get(usable.size() / 2));
    return graph;
  }

  @Test void noTwoLivingValuesOverlap() {
    for (int seed = 0; seed < 60; seed++) {
      Graph graph = random(new Random(seed));
      Plan plan = plan(graph);
      Map<Value, Integer> last = lastReads(graph);
      for (int i = 0; i < graph.nodes().size(); i++) {
        for (Value made : graph.nodes().get(i).out()) {
          for (Map.Entry<Value, Integer> other : last.entrySet()) {
            boolean alive = isMadeBefore(graph, other.getKey(), i) && other.getValue() >= i;
            if (alive && graph.nodes().get(i).op().aliasOf(0) < 0) {
              assertFalse(overlap(plan, made, other.getKey()), "seed %d, node %d: %s and %s".formatted(seed, i, made,
                  other.getKey()));
            }
          }
        }
      }
    }
  }

  /** The last node that reads each value's memory; that of an output and of an input is read at the end. */
  private static Map<Value, Integer> lastReads(Graph graph) {
    Map<Value, Value> home = Plan.homes(graph);
    Map<Value, Integer> byHome = new HashMap<>();
    for (int i = 0; i < graph.nodes().size(); i++) {
      for (Value v : graph.nodes().get(i).in()) byHome.merge(home.getOrDefault(v, v), i, Math::max);
    }
    graph.outputs().values().forEach(v -> byHome.put(home.getOrDefault(v, v), Integer.MAX_VALUE));
    graph.inputs().values().forEach(v -> byHome.put(v, Integer.MAX_VALUE));
    Map<Value, Integer> last = new HashMap<>(byHome);
    home.forEach((v, h) -> last.put(v, byHome.getOrDefault(h, -1)));
    return last;
  }

  private static boolean isMadeBefore(Graph graph, Value v, int node) {
    for (int i = node; i < graph.nodes().size(); i++) if (graph.nodes().get(i).out().contains(v)) return false;
    return true;
  }

  private static boolean overlap(Plan plan, Value a, Value b) {
    long from = plan.offsets().get(a), other = plan.offsets().get(b);
    return from < other + b.spec().bytes() && other < from + a.spec().bytes();
  }

  @Test void takesNoMoreThanAllValuesSideBySide() {
    for (int seed = 0; seed < 60; seed++) {
      Graph graph = random(new Random(seed));
      long sum = 0;
      for (Value v : graph.inputs().values()) sum += aligned(v);
      for (Node n : graph.nodes()) for (Value v : n.out()) if (n.op().aliasOf(0) < 0) sum += aligned(v);
      Plan plan = plan(graph);
      assertTrue(plan.valueBytes() <= sum, "seed %d: %d of %d".formatted(seed, plan.valueBytes(), sum));
      plan.offsets().values().forEach(at -> assertEquals(0, at % Plan.ALIGNMENT));
    }
  }

  private static long aligned(Value v) {
    return Math.ceilDiv(v.spec().bytes(), Plan.ALIGNMENT) * Plan.ALIGNMENT;
  }

  @Test void aChainNeedsItsInputAndTwoPlaces() {
    Graph graph = new Graph(DType.F64);
    Value v = graph.input("x", f64(8));
    for (int i = 0; i < 10; i++) v = graph.emit1(TANH, v);
    graph.output("y", v);
    assertEquals(3 * 64, plan(graph).bytes());
  }

  @Test void aSmallValueGoesIntoTheHoleOfALargeOne() {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(8));
    Value large = graph.emit1(new MatMul(true, false), column(graph), column(graph));
    Value sum = graph.emit1(new Sum(), large);
    Value small = graph.emit1(TANH, x);
    graph.output("sum", sum);
    graph.output("small", small);
    Plan plan = plan(graph);
    // Inputs x and two (1,8) rows, and the sum: 64 bytes each. The (8,8) product takes 512, and its place is free for
    // the last.
    assertEquals(4 * 64 + 512, plan.bytes());
    assertTrue(plan.offsets().get(small) < plan.offsets().get(large) + 512);
  }

  private static Value column(Graph graph) {
    return graph.input("row " + graph.inputs().size(), f64(1, 8));
  }

  @Test void whatIsWrittenInPlaceSharesItsMemory() {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(8));
    Value a = graph.emit1(TANH, x);
    Value b = graph.emit1(new Add(true), a, x);
    Value c = graph.emit1(new Add(true), b, x);
    graph.output("c", c);
    Plan plan = plan(graph);
    assertEquals(plan.offsets().get(a), plan.offsets().get(b));
    assertEquals(plan.offsets().get(a), plan.offsets().get(c));
    assertEquals(2 * 64, plan.bytes());
  }

  @Test void boundMemoryTakesNoneOfTheWorkspace() {
    try (Backend backend = Doubles.cpu(); Slab slab = backend.allocate(128, "test")) {
      Graph graph = new Graph(DType.F64);
      Value p = graph.bound(f64(8), slab.span(0, 64));
      Value y = graph.emit1(new Add(true), p, p);
      Value z = graph.emit1(TANH, y);
      graph.place(z, slab.span(64, 64));
      assertEquals(0, Plan.of(graph, backend).bytes());
    }
  }

  /** x -> a -> b -> c -> d -> e: b and e are placed, and a is gone before e is made, but not before b is. */
  @Test void placedMemoryHoldsOthersUntilItsValueIsMade() {
    try (Backend backend = Doubles.cpu(); Slab slab = backend.allocate(64 * 4, "test")) {
      Graph graph = new Graph(DType.F64);
      Value a = graph.emit1(TANH, graph.input("x", f64(8))), b = graph.emit1(TANH, a), c = graph.emit1(TANH, b);
      Value d = graph.emit1(TANH, c), e = graph.emit1(TANH, d);
      graph.place(b, slab.span(64, 64));
      graph.place(e, slab.span(192, 64));
      Plan plan = Plan.of(graph, backend);
      assertEquals(Map.of(a, slab.span(192, 64), c, slab.span(192, 64)), plan.lent());
      assertEquals(2 * 64, plan.bytes(), "x and d");
    }
  }

  /** Whatever is lent, results are the same, and what belongs to nobody between the places stays as it is. */
  @Test void lendingChangesNoResult() {
    int lent = 0;
    for (int seed = 0; seed < 60; seed++) {
      Graph plain = random(new Random(seed)), lending = random(new Random(seed));
      try (Backend backend = Doubles.cpu(); Slab slab = backend.allocate(1 << 16, "test")) {
        slab.host().fill((byte) 77);
        long at = 64;
        Map<String, Span> places = new HashMap<>();
        for (int i : placeable(plain, new Random(seed))) {
          Value v = lending.nodes().get(i).out().getFirst();
          places.put("node " + i, slab.span(at, v.spec().bytes()));
          lending.place(v, places.get("node " + i));
          plain.output("node " + i, plain.nodes().get(i).out().getFirst());
          at += v.spec().bytes() + 8;
        }
        lent += Plan.of(lending, backend).lent().size();
        Map<String, double[]> expected = run(plain, backend), actual = run(lending, backend);
        places.forEach((name, span) -> actual.put(name, Doubles.get(span)));
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((name, x) -> assertArrayEquals(x, actual.get(name), name));
        byte[] gaps = slab.host().toArray(ValueLayout.JAVA_BYTE);
        for (Span s : places.values()) Arrays.fill(gaps, (int) s.offset(), (int) (s.offset() + s.bytes()), (byte) 77);
        for (byte gap : gaps) assertEquals(77, gap, "seed " + seed);
      }
    }
    assertTrue(lent > 100, lent + " values were lent a place");
  }

  /** Some nodes whose output has memory of its own and keeps what it holds. */
  private static List<Integer> placeable(Graph graph, Random random) {
    Map<Value, Value> home = Plan.homes(graph);
    List<Integer> nodes = new ArrayList<>();
    for (int i = 0; i < graph.nodes().size(); i++) {
      Value v = graph.nodes().get(i).out().getFirst();
      boolean alone = home.entrySet().stream().noneMatch(e -> !e.getKey().equals(v) && e.getValue().equals(v));
      if (home.get(v).equals(v) && alone && random.nextInt(4) == 0) nodes.add(i);
    }
    return nodes;
  }

  private static Map<String, double[]> run(Graph graph, Backend backend) {
    Compiler.Compiled compiled = new Compiler(backend).compile(graph);
    try (Slab workspace = backend.allocate(compiled.plan().bytes(), "test");
        Program program = compiled.program(backend, workspace)) {
      graph.inputs().forEach((name, v) -> Doubles.write(program, name,
          new Random(1).doubles(v.shape().size()).toArray()));
      program.run();
      Map<String, double[]> results = new HashMap<>();
      graph.outputs().forEach((name, v) -> results.put(name, Doubles.read(program, name, (int) v.shape().size())));
      return results;
    }
  }

  @Test void readingWhatWasWrittenOverIsAnError() {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(8));
    Value a = graph.emit1(TANH, x);
    try (Graph.Scope _ = graph.scope("accumulate")) {
      graph.emit1(new Add(true), a, x);
    }
    try (Graph.Scope _ = graph.scope("reader")) {
      graph.emit1(TANH, a);
    }
    String message = assertThrows(IllegalStateException.class, () -> plan(graph)).getMessage();
    assertEquals("Activation[TANH] at reader reads %1, which Add at accumulate has written over", message);
  }

  /** A rewrite from another module may have moved it. */
  @Test void readingWhatIsNotMadeYetIsAnError() {
    Graph graph = new Graph(DType.F64);
    Value a;
    try (Graph.Scope _ = graph.scope("maker")) {
      a = graph.emit1(TANH, graph.input("x", f64(8)));
    }
    try (Graph.Scope _ = graph.scope("reader")) {
      graph.output("y", graph.emit1(TANH, a));
    }
    graph.replaceNodes(graph.nodes().reversed());
    String message = assertThrows(IllegalStateException.class, () -> plan(graph)).getMessage();
    assertEquals("Activation[TANH] at reader reads %1, which no node before it makes", message);
  }

  @Test void namingWhatWasWrittenOverAsOutputIsAnError() {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(8));
    Value a = graph.emit1(TANH, x);
    graph.emit1(new Add(true), a, x);
    graph.output("a", a);
    String message = assertThrows(IllegalStateException.class, () -> plan(graph)).getMessage();
    assertTrue(message.contains("output 'a'") && message.contains("Add"), message);
  }
}
