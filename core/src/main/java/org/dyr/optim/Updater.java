package org.dyr.optim;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.Fetch;
import org.dyr.device.Slab;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Profile;
import org.dyr.graph.Program;
import org.dyr.nn.Weights;
import org.dyr.op.ClipFactor;
import org.dyr.op.Op;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * An optimizer at work: its states, one slab each, and the program of a step: global norm, clip factor, update. A step
 * allocates nothing.
 */
public final class Updater implements AutoCloseable {
  private static final String SCALE = "loss_scale";
  private static final String HYPER = "hyper";
  private static final String NORM = "norm";

  private final Optimizer optimizer;
  private final DType type;
  private final Map<String, Slab> states = new LinkedHashMap<>();
  private final Slab workspace;
  private final Program program;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment scale;
  private final MemorySegment hyper;
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
    try {
      Compiler.Compiled compiled = compile(backend, weights, gradients, clipNorm);
      workspace = backend.allocate(Math.max(1, compiled.plan().bytes()), "workspace of the update");
      program = compiled.program(backend, workspace);
    } catch (RuntimeException | Error e) {
      states.values().forEach(Slab::close);
      throw e;
    }
    scale = arena.allocate(type.bytes(), Double.BYTES);
    hyper = arena.allocate((long) Update.HYPER * type.bytes(), Double.BYTES);
    for (int i = 0; i < launched.length; i++) launched[i] = new Launched(arena.allocate(type.bytes(), Double.BYTES));
  }

  /** Allocates the states and records the step over them. */
  private Compiler.Compiled compile(Backend backend, Weights weights, Slab gradients, double clipNorm) {
    Spec all = Spec.of(type, Math.toIntExact(weights.bytes() / type.bytes()));
    Graph graph = new Graph(type);
    Value gradient = graph.bound(all, gradients.span(0, all.bytes()));
    List<Value> in = new ArrayList<>(List.of(graph.bound(all, weights.slab().span(0, all.bytes()))));
    for (String state : optimizer.states()) {
      Slab slab = backend.allocate(all.bytes(), "optimizer state " + state);
      states.put(state, slab);
      in.add(graph.bound(all, slab.span(0, all.bytes())));
    }
    Value[] clip;
    try (Graph.Scope s = graph.scope("clip")) {
      Value squares = graph.emit1(new SumSquares(), gradient);
      clip = graph.emit(new ClipFactor(clipNorm), squares, graph.input(SCALE, Spec.of(type, 1)));
    }
    graph.output(NORM, clip[1]);
    try (Graph.Scope s = graph.scope("update")) {
      in.addAll(List.of(gradient, clip[0], graph.input(HYPER, Spec.of(type, Update.HYPER))));
      Op update = optimizer.update(weights.segments());
      graph.emit(update, in.toArray(new Value[0]));
    }
    return new Compiler(backend).compile(graph);
  }

  /**
   * Clips the gradients and updates the weights, and waits for it.
   *
   * @return whether the update was made: not when the gradient's norm is infinite or NaN
   */
  public boolean step(double learningRate, long step, double lossScale, Profile profile) {
    return Double.isFinite(launch(learningRate, step, lossScale, profile).awaitNorm());
  }

  /**
   * Clips the gradients and updates the weights; leaves them as they are when the gradient's norm is infinite or NaN.
   *
   * @param step from 0: it sets Lamb's bias correction
   * @param lossScale what the gradients have been multiplied by
   * @param profile takes the time of each node; null to run at full speed
   * @return the step; it is awaited before the next but one is launched
   */
  public Launched launch(double learningRate, long step, double lossScale, Profile profile) {
    set(scale, 0, lossScale);
    set(hyper, 0, learningRate);
    set(hyper, 1, correction(optimizer instanceof Optimizer.Lamb l ? l.beta1() : 0, step));
    set(hyper, 2, correction(optimizer instanceof Optimizer.Lamb l ? l.beta2() : 0, step));
    program.write(SCALE, scale);
    program.write(HYPER, hyper);
    if (profile == null) program.run();
    else program.run(profile);
    Launched now = launched[next++ & 1];
    now.fetch = program.fetch(NORM, now.norm);
    return now;
  }

  /** 1 / (1 - beta^t) for step t counted from 1. */
  private static double correction(double beta, long step) {
    return 1 / (1 - Math.pow(beta, step + 1));
  }

  /** The global norm of the gradient of the last step that was awaited, before clipping, without the loss scale. */
  public double gradientNorm() {
    return lastNorm;
  }

  private void set(MemorySegment s, int i, double x) {
    if (type == DType.F64) s.setAtIndex(ValueLayout.JAVA_DOUBLE, i, x);
    else s.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x);
  }

  /** The states by name, laid out as the weights. */
  public Map<String, Slab> states() {
    return states;
  }

  /** Bytes of the workspace of the update. */
  public long workspaceBytes() {
    return workspace.bytes();
  }

  @Override public void close() {
    program.close();
    workspace.close();
    states.values().forEach(Slab::close);
    arena.close();
  }
}
