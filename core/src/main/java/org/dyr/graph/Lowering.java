package org.dyr.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.Span;
import org.dyr.op.FusedOp;
import org.dyr.op.Op;
import org.dyr.op.Recorder;
import org.dyr.op.Value;
import org.dyr.tensor.ShapeException;

/** Replaces every fused op that the device has no kernel for by its decomposition, until all that is left can run. */
final class Lowering {
  private final Graph graph;
  private final Backend backend;
  private final Map<Value, Value> replaced = new HashMap<>();
  private final List<Node> lowered = new ArrayList<>();

  private Lowering(Graph graph, Backend backend) {
    this.graph = graph;
    this.backend = backend;
  }

  /**
   * @throws UnsupportedOperationException when the device lacks a kernel for a primitive, naming op, operands and place
   */
  static void apply(Graph graph, Backend backend) {
    Lowering l = new Lowering(graph, backend);
    for (Node n : graph.nodes()) l.lower(n);
    graph.replaceNodes(l.lowered);
    graph.outputs().replaceAll((name, v) -> l.current(v));
    Map<Value, Span> placed = new LinkedHashMap<>();
    graph.placed().forEach((v, span) -> {
      if (placed.put(l.current(v), span) != null) {
        throw new ShapeException("graph: one value is placed twice after lowering: %s", v);
      }
    });
    graph.placed().clear();
    graph.placed().putAll(placed);
  }

  private Value current(Value v) {
    Value r = v;
    while (replaced.containsKey(r)) r = replaced.get(r);
    return r;
  }

  private void lower(Node n) {
    Node node = new Node(n.op(), n.in().stream().map(this::current).toList(), n.out(), n.path());
    if (backend.choose(node.op(), node.inSpecs()).isPresent()) {
      lowered.add(node);
      return;
    }
    if (!(node.op() instanceof FusedOp fused)) {
      throw new UnsupportedOperationException("%s has no kernel for %s of %s   at %s".formatted(
          backend.name(), node.op().name(), List.of(node.inSpecs()), node.path()));
    }
    Recorder inner = new Recorder() {
      @Override public Value[] emit(Op op, Value... in) {
        Value[] current = new Value[in.length];
        for (int i = 0; i < in.length; i++) current[i] = current(in[i]);
        Node made = graph.node(op, node.path(), current);
        lower(made);
        return made.out().toArray(new Value[0]);
      }
    };
    Value[] out = fused.decompose(inner, node.in().toArray(new Value[0]));
    for (int i = 0; i < out.length; i++) replaced.put(node.out().get(i), out[i]);
  }
}
