package org.dyr.optim;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.Fetch;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Plan;
import org.dyr.graph.Profile;
import org.dyr.graph.Program;
import org.dyr.nn.Weights;
import org.dyr.op.ClipFactor;
import org.dyr.op.IfFinite;
import org.dyr.op.Op;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * An optimizer at work: its states, one slab each, and the two ends of a step. {@link #begin} sets the terms of the step,
 * {@link #launch} has global norm, clip factor and update. A step allocates nothing, and nobody waits for one:
 *
 * <pre>
 * begin    terms (4) = the first of two rows when the norm of the step before is finite, else the second
 *          terms: loss scale, then what Update calls hyper: learning rate, Lamb's two bias corrections
 * ...      the step's gradients, with the loss multiplied by terms[0]
 * launch   norm (1) = |g| / loss scale; p and the states by clip factor and hyper, left as they are where norm is not finite
 * </pre>
 *
 * <p>The host knows what either outcome leads to before it knows which one came; the device takes the one that did.
 */
public final class Updater implements AutoCloseable {
  private static final String OUTCOMES = "outcomes";
  private static final String NORM = "norm";
  private static final int TERMS = 1 + Update.HYPER;

  private final Optimizer optimizer;
  private final DType type;
  private final Map<String, Slab> states = new LinkedHashMap<>();
  private final Deque<Runnable> opened = new ArrayDeque<>();
  private final Slab numbers;
  private final Slab workspace;
  private final Program beginning;
  private final Program update;
  private final MemorySegment outcomes;
  private final Launched[] launched = new Launched[2];
  private int next;
  private double lastNorm = Double.NaN;

  /** A step that may be under way. */
  public final class Launched {
    private final MemorySegment norm;
    private Fetch fetch = Fetch.DONE;

    private Launched(MemorySegment norm) {
      this.norm = norm;
    }

    /** Whether the step is known to be over. */
    public boolean isOver() {
      return fetch == Fetch.DONE;
    }

    /** The global norm of its gradient, before clipping, without the loss scale; waits for it. */
    public double awaitNorm() {
      fetch.await();
      lastNorm = type == DType.F64 ? norm.get(ValueLayout.JAVA_DOUBLE, 0) : norm.get(ValueLayout.JAVA_FLOAT, 0);
      return lastNorm;
    }
  }

  /**
   * Allocates the states, zeroed.
   *
   * @param gradients laid out as the weights
   * @param clipNorm the global norm that gradients are clipped to; 0 never clips
   */
  public Updater(Backend backend, Weights weights, Slab gradients, Optimizer optimizer, double clipNorm) {
    this.optimizer = optimizer;
    this.type = weights.type();
    boolean complete = false;
    try {
      numbers = backend.allocate(2 * Plan.ALIGNMENT, "numbers of a step");
      opened.push(numbers::close);
      Compiler.Compiled chosen = chosenTerms(backend), updated = updated(backend, weights, gradients, clipNorm);
      workspace = backend.allocate(Math.max(chosen.plan().bytes(), updated.plan().bytes()), "workspace of the update");
      opened.push(workspace::close);
      beginning = chosen.program(backend, workspace);
      opened.push(beginning::close);
      update = updated.program(backend, workspace);
      opened.push(update::close);
      Arena arena = Arena.ofShared();
      opened.push(arena::close);
      outcomes = arena.allocate(2L * TERMS * type.bytes(), Double.BYTES);
      for (int i = 0; i < launched.length; i++) launched[i] = new Launched(arena.allocate(type.bytes(), Double.BYTES));
      complete = true;
    } finally {
      if (!complete) close();
    }
  }

  private Span terms(int from, int count) {
    return numbers.span((long) from * type.bytes(), (long) count * type.bytes());
  }

  private Span norm() {
    return numbers.span(Plan.ALIGNMENT, type.bytes());
  }

  private Compiler.Compiled chosenTerms(Backend backend) {
    Graph graph = new Graph(type);
    try (Graph.Scope s = graph.scope("terms")) {
      Value before = graph.bound(Spec.of(type, 1), norm());
      Value terms = graph.emit1(new IfFinite(), graph.input(OUTCOMES, Spec.of(type, 2, TERMS)), before);
      graph.place(terms, terms(0, TERMS));
    }
    return new Compiler(backend).compile(graph);
  }

  /** Allocates the states and records the step over them. */
  private Compiler.Compiled updated(Backend backend, Weights weights, Slab gradients, double clipNorm) {
    Spec all = Spec.of(type, Math.toIntExact(weights.bytes() / type.bytes()));
    Graph graph = new Graph(type);
    Value gradient = graph.bound(all, gradients.span(0, all.bytes()));
    List<Value> in = new ArrayList<>(List.of(graph.bound(all, weights.slab().span(0, all.bytes()))));
    for (String state : optimizer.states()) {
      Slab slab = backend.allocate(all.bytes(), "optimizer state " + state);
      opened.push(slab::close);
      states.put(state, slab);
      in.add(graph.bound(all, slab.span(0, all.bytes())));
    }
    Value[] clip;
    try (Graph.Scope s = graph.scope("clip")) {
      Value squares = graph.emit1(new SumSquares(), gradient);
      clip = graph.emit(new ClipFactor(clipNorm), squares, graph.bound(Spec.of(type, 1), lossScale()));
    }
    graph.place(clip[1], norm());
    graph.output(NORM, clip[1]);
    try (Graph.Scope s = graph.scope("update")) {
      in.addAll(List.of(gradient, clip[0], graph.bound(Spec.of(type, Update.HYPER), terms(1, Update.HYPER))));
      Op update = optimizer.update(weights.segments());
      graph.emit(update, in.toArray(new Value[0]));
    }
    return new Compiler(backend).compile(graph);
  }

  /** Where the loss scale of the step that was begun last is, (1) in the weights' type: the loss's own gradient. */
  public Span lossScale() {
    return terms(0, 1);
  }

  /**
   * Begins and launches a step over gradients that are there, and waits for it.
   *
   * @return whether the update was made: not when the gradient's norm is infinite or NaN
   */
  public boolean step(UpdateTerms terms, Profile profile) {
    begin(terms, terms, profile);
    return Double.isFinite(launch(profile).awaitNorm());
  }

  /**
   * Sets the terms of the step that comes: one of two, by the outcome of the step that was launched last. For the first
   * step, both are the same.
   *
   * @param ifMade the terms when that step made its update
   * @param ifSkipped the terms when its gradient's norm was infinite or NaN
   * @param profile takes the time of each node; null to run at full speed
   */
  public void begin(UpdateTerms ifMade, UpdateTerms ifSkipped, Profile profile) {
    set(0, ifMade);
    set(1, ifSkipped);
    beginning.write(OUTCOMES, outcomes);
    run(beginning, profile);
  }

  /**
   * Clips the gradients and updates the weights; leaves them as they are when the gradient's norm is infinite or NaN.
   *
   * @return the step; it is awaited before the next but one is launched
   */
  public Launched launch(Profile profile) {
    run(update, profile);
    Launched now = launched[next++ & 1];
    now.fetch = update.fetch(NORM, now.norm);
    return now;
  }

  private static void run(Program program, Profile profile) {
    if (profile == null) program.run();
    else program.run(profile);
  }

  private void set(int row, UpdateTerms terms) {
    int at = row * TERMS;
    set(at, terms.lossScale());
    set(at + 1, terms.learningRate());
    set(at + 2, correction(optimizer instanceof Optimizer.Lamb l ? l.beta1() : 0, terms.updates()));
    set(at + 3, correction(optimizer instanceof Optimizer.Lamb l ? l.beta2() : 0, terms.updates()));
  }

  /** 1 / (1 - beta^t) for step t counted from 1. */
  private static double correction(double beta, long step) {
    return 1 / (1 - Math.pow(beta, step + 1));
  }

  private void set(int i, double x) {
    if (type == DType.F64) outcomes.setAtIndex(ValueLayout.JAVA_DOUBLE, i, x);
    else outcomes.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x);
  }

  /** The global norm of the gradient of the last step that was awaited, before clipping, without the loss scale. */
  public double gradientNorm() {
    return lastNorm;
  }

  /** The states by name, laid out as the weights. */
  public Map<String, Slab> states() {
    return states;
  }

  /** Bytes of the workspace of the update, and of the terms and the norm. */
  public long workspaceBytes() {
    return workspace.bytes() + numbers.bytes();
  }

  @Override public void close() {
    while (!opened.isEmpty()) opened.pop().run();
  }
}
