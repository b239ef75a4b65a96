package org.dyr.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dyr.graph.Fusion;
import org.dyr.graph.Fusion.Rewrite;
import org.dyr.graph.Fusion.Stage;
import org.dyr.graph.Fusions;
import org.dyr.graph.Node;
import org.dyr.graph.Readers;
import org.dyr.kernels.cuda.Pointwise.Step;
import org.dyr.op.Op;
import org.dyr.op.Value;

/**
 * The row "pointwise": an op of one element each takes in those that make its operands, where nobody else reads what
 * they make, backward least of all. Tried last: better fusions have had their turn. An op found so is taken in by the
 * next one like any other, so a chain grows along the graph.
 */
public final class PointwiseFusion implements Fusions.Provider {
  static final String NAME = "pointwise";

  @Override public List<Fusion> rows() {
    return List.of(new Fusion(NAME, Stage.LAST, PointwiseFusion::match));
  }

  private static Optional<Rewrite> match(Readers g, Node last) {
    if (asPointwise(last).isEmpty()) return Optional.empty();
    Tree tree = new Tree(g, last);
    tree.take(last);
    if (tree.nodes.size() < 2) return Optional.empty();
    return Optional.of(new Rewrite(tree.nodes, new Pointwise(tree.in.size(), tree.steps), tree.in, last.out()));
  }

  /** The node's op as one or more steps. */
  private static Optional<Pointwise> asPointwise(Node n) {
    if (n.op() instanceof Pointwise p) return Optional.of(p);
    if (Pointwise.elements(n.op()) == 0) return Optional.empty();
    List<Integer> operands = new ArrayList<>();
    for (int i = 0; i < n.in().size(); i++) operands.add(i);
    return Optional.of(new Pointwise(operands.size(), List.of(new Step(n.op(), operands))));
  }

  /** What is put together: nodes, their values from outside, and the steps. */
  private static final class Tree {
    private final Readers g;
    private final Node last;
    final List<Node> nodes = new ArrayList<>();
    final List<Value> in = new ArrayList<>();
    final List<Step> steps = new ArrayList<>();

    Tree(Readers g, Node last) {
      this.g = g;
      this.last = last;
    }

    /** Adds the node's steps behind those of what it takes in; gives the operand that the last of them is. */
    int take(Node n) {
      nodes.add(n);
      Pointwise p = asPointwise(n).orElseThrow();
      int[] operand = new int[p.inputs()];
      for (int i = 0; i < operand.length; i++) {
        Value v = n.in().get(i);
        Optional<Node> maker = isElement(p, i) ? maker(v) : Optional.empty();
        operand[i] = maker.isPresent() ? take(maker.get()) : input(v);
      }
      int first = steps.size();
      for (Step s : p.steps()) {
        steps.add(new Step(s.op(), s.operands().stream().map(o -> o < 0 ? ~(first + ~o) : operand[o]).toList()));
      }
      return ~(steps.size() - 1);
    }

    private int input(Value v) {
      if (!in.contains(v)) in.add(v);
      return in.indexOf(v);
    }

    /** Whether the input is read element by element wherever it is read. */
    private static boolean isElement(Pointwise p, int input) {
      for (Step s : p.steps()) {
        if (s.operands().lastIndexOf(input) >= Pointwise.elements(s.op())) return false;
      }
      return true;
    }

    /** The node that makes the value for this tree alone and can as well do so where the last node stands. */
    private Optional<Node> maker(Value v) {
      return g.inner(v, Op.class).filter(n -> asPointwise(n).isPresent() && n.in().stream().allMatch(this::lasts));
    }

    /** Whether the value is still there when the last node runs: nothing before that is written over it. */
    private boolean lasts(Value v) {
      for (Node reader : g.of(v)) {
        for (int o = 0; o < reader.out().size(); o++) {
          int over = reader.op().aliasOf(o);
          if (over >= 0 && reader.in().get(over).equals(v) && g.existAt(last, reader.out())) return false;
        }
      }
      return true;
    }
  }
}
