package org.dyr.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dyr.device.Span;
import org.dyr.op.Add;
import org.dyr.op.Gradients;
import org.dyr.op.Op;
import org.dyr.op.Value;
import org.dyr.tensor.ShapeException;

/**
 * Reverse-mode differentiation of a recorded graph: walks the nodes backwards and has each op record its gradient. The
 * gradients of the parameters land in the memory given for them.
 */
public final class Backprop {

  /** The input that carries the loss's own gradient, (1), where a graph has no value for it: 1, or the loss scale. */
  public static final String LOSS_SCALE = "loss_scale";

  private final Graph graph;
  private final Set<Value> wanted = new HashSet<>();
  private final Map<Value, Value> gradients = new HashMap<>();

  private Backprop(Graph graph) {
    this.graph = graph;
  }

  /**
   * Appends the gradient of {@code loss} (1).
   *
   * @param lossGradient the loss's own gradient (1)
   * @param parameters where each bound value's gradient goes; a parameter that the loss does not depend on is an error
   * @param accumulate whether the gradient is added to what is there, or written over it
   */
  public static void append(Graph graph, Value loss, Value lossGradient, Map<Value, Span> parameters,
      boolean accumulate) {
    if (!lossGradient.spec().equals(loss.spec())) {
      throw new ShapeException("backprop: the loss is %s, its gradient %s".formatted(loss.spec(), lossGradient.spec()));
    }
    new Backprop(graph).run(loss, lossGradient, parameters, accumulate);
  }

  private void run(Value loss, Value lossGradient, Map<Value, Span> parameters, boolean accumulate) {
    List<Node> forward = List.copyOf(graph.nodes());
    wanted.addAll(parameters.keySet());
    for (Node n : forward) if (n.in().stream().anyMatch(wanted::contains)) wanted.addAll(n.out());
    gradients.put(loss, lossGradient);
    Map<Value, Integer> firstRead = new HashMap<>();
    for (int i = 0; i < forward.size(); i++) for (Value v : forward.get(i).in()) firstRead.putIfAbsent(v, i);
    Map<Integer, List<Value>> complete = new HashMap<>();
    for (Value p : parameters.keySet()) {
      complete.computeIfAbsent(firstRead.getOrDefault(p, 0), i -> new ArrayList<>()).add(p);
    }
    Set<Value> landed = new HashSet<>();
    for (int i = forward.size() - 1; i >= 0; i--) {
      differentiate(forward.get(i));
      // At once, not at the end: what an accumulation reads need not live longer.
      for (Value p : complete.getOrDefault(i, List.of())) land(p, parameters.get(p), accumulate, landed);
    }
  }

  private void differentiate(Node n) {
    if (n.out().stream().noneMatch(gradients::containsKey)) return;
    try (Graph.Scope s = graph.scope(n.path().isEmpty() ? "grad" : n.path() + ".grad")) {
      AtNode at = new AtNode(n);
      n.op().backward(at);
      at.checkAllTaken();
    }
  }

  /** Brings a parameter's gradient to its place, without a copy where its producer can write there. */
  private void land(Value parameter, Span span, boolean accumulate, Set<Value> landed) {
    Value d = gradients.get(parameter);
    if (d == null) throw new IllegalArgumentException("backprop: the loss does not depend on " + parameter);
    if (accumulate) {
      try (Graph.Scope s = graph.scope("gradients")) {
        graph.emit(new Add(true), graph.bound(parameter.spec(), span), d);
      }
      return;
    }
    if (!landed.add(d)) {
      throw new IllegalArgumentException("backprop: two parameters share the gradient " + d + "; give one memory of its own");
    }
    graph.place(d, span);
  }

  /** What one node's backward sees. */
  private final class AtNode implements Gradients {
    private final Node node;
    private final Set<Integer> taken = new HashSet<>();

    AtNode(Node node) {
      this.node = node;
    }

    @Override public Value in(int i) {
      return node.in().get(i);
    }

    @Override public Value out(int i) {
      return node.out().get(i);
    }

    /** Nothing detaches in silence: a gradient that has arrived at an output must have been asked for. */
    void checkAllTaken() {
      for (int i = 0; i < node.out().size(); i++) {
        if (gradients.containsKey(node.out().get(i)) && !taken.contains(i)) {
          throw new UnsupportedOperationException(
              "%s has no gradient for its output %d, which the loss depends on   at %s".formatted(
                  node.op().name(), i, node.path()));
        }
      }
    }

    @Override public Value gradOf(int i) {
      taken.add(i);
      return gradients.get(node.out().get(i));
    }

    @Override public boolean wants(int i) {
      return wanted.contains(node.in().get(i));
    }

    @Override public void give(int i, Value gradient) {
      Value v = in(i);
      if (!gradient.spec().equals(v.spec())) {
        throw new IllegalStateException("%s: the gradient of input %d is %s, the input %s"
            .formatted(node.op().name(), i, gradient.spec(), v.spec()));
      }
      gradients.merge(v, gradient, (a, b) -> graph.emit1(new Add(false), a, b));
    }

    @Override public Value[] emit(Op op, Value... in) {
      if (Arrays.asList(in).contains(null)) checkAllTaken();
      return graph.emit(op, in);
    }
  }
}
