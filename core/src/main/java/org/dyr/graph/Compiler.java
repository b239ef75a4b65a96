package org.dyr.graph;

import java.util.Map;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Fusion.Stage;
import org.dyr.op.Value;

/**
 * The whole way from a recorded graph to a program: fuse, differentiate, recompute what shall not be kept, fuse what the
 * gradient brought, lower, plan, prepare.
 *
 * @param fusionsOff names of rows of {@link Fusions} to leave out
 */
public record Compiler(Backend backend, Set<String> fusionsOff, Recompute recompute) {

  /** Keeps every activation. */
  public Compiler(Backend backend, Set<String> fusionsOff) {
    this(backend, fusionsOff, Recompute.NONE);
  }

  /** With every fusion. */
  public Compiler(Backend backend) {
    this(backend, Set.of());
  }

  /** A graph that is ready to run, with its plan; no memory yet. */
  public record Compiled(Graph graph, Plan plan) {

    /** Prepares the kernels in a part of {@code workspace} that starts at 0. */
    public Program program(Backend backend, Slab workspace) {
      return new Program(this, backend, workspace.span(0, plan.bytes()));
    }
  }

  /** Compiles a graph as it was recorded. */
  public Compiled compile(Graph graph) {
    Fusions.apply(graph, backend, Stage.ALWAYS, fusionsOff);
    return finish(graph);
  }

  /**
   * Compiles a graph together with the gradient of its output {@code loss}, whose own is the input {@link
   * Backprop#LOSS_SCALE}.
   *
   * @param gradients where the gradient of each parameter goes
   * @param accumulate whether it is added to what is there
   */
  public Compiled compile(Graph graph, String loss, Map<Value, Span> gradients, boolean accumulate) {
    Value scale = graph.input(Backprop.LOSS_SCALE, graph.outputs().get(loss).spec());
    return compile(graph, loss, scale, gradients, accumulate);
  }

  /**
   * The same.
   *
   * @param lossGradient the loss's own gradient (1), a value of the graph: 1, or the loss scale
   */
  public Compiled compile(Graph graph, String loss, Value lossGradient, Map<Value, Span> gradients,
      boolean accumulate) {
    Fusions.apply(graph, backend, Stage.ALWAYS, fusionsOff);
    int forward = graph.nodes().size();
    Backprop.append(graph, graph.outputs().get(loss), lossGradient, gradients, accumulate);
    recompute.apply(graph, forward);
    return finish(graph);
  }

  private Compiled finish(Graph graph) {
    Fusions.apply(graph, backend, Stage.LAST, fusionsOff);
    Lowering.apply(graph, backend);
    return new Compiled(graph, Plan.of(graph, backend));
  }
}
