package org.dyr.graph;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.DeviceException;
import org.dyr.device.Fetch;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.AllFinite;
import org.dyr.op.Op;
import org.dyr.op.Value;
import org.dyr.tensor.Spec;

/**
 * Prepared kernels in order. A run launches them: nothing is allocated, looked up or checked, and nobody waits; who
 * reads an output does. Not thread-safe: a program has one workspace.
 */
public final class Program implements AutoCloseable {
  private final Graph graph;
  private final Plan plan;
  private final Backend backend;
  private final Span workspace;
  private final Kernel[] kernels;
  private final Kernel all;
  private final String[] sets;
  private final Map<String, Span> inputs = new HashMap<>();
  private final Map<String, Span> outputs = new HashMap<>();

  Program(Compiler.Compiled compiled, Backend backend, Span workspace) {
    this.graph = compiled.graph();
    this.plan = compiled.plan();
    this.backend = backend;
    this.workspace = workspace;
    int n = graph.nodes().size();
    kernels = new Kernel[n];
    sets = new String[n];
    Span scratch = workspace.slice(plan.valueBytes(), plan.scratchBytes());
    boolean complete = false;
    try {
      for (int i = 0; i < n; i++) {
        Node node = graph.nodes().get(i);
        KernelSet set = backend.choose(node.op(), node.inSpecs()).orElseThrow();
        sets[i] = set.name();
        kernels[i] = placed(node, set.prepare(node.op(), new Operands(node.inSpecs(), node.outSpecs(), spans(node.in()),
            spans(node.out()), scratch.slice(0, set.scratchBytes(node.op(), node.inSpecs())))));
      }
      complete = true;
    } finally {
      if (!complete) for (Kernel k : kernels) if (k != null) k.close();
    }
    all = backend.sequence(kernels);
    graph.inputs().forEach((name, v) -> inputs.put(name, span(v)));
    graph.outputs().forEach((name, v) -> outputs.put(name, span(v)));
  }

  /** The kernel, whose failure names its place in the model. */
  private static Kernel placed(Node node, Kernel kernel) {
    String place = node.op().name() + ", " + node.path();
    return new Kernel() {
      @Override public void launch() {
        try {
          kernel.launch();
        } catch (DeviceException e) {
          throw e.at(place);
        }
      }

      @Override public void close() {
        kernel.close();
      }
    };
  }

  private Span[] spans(List<Value> values) {
    return values.stream().map(this::span).toArray(Span[]::new);
  }

  private Span span(Value v) {
    Span outside = graph.bound().containsKey(v) ? graph.bound().get(v) : graph.placed().get(v);
    if (outside != null) return outside;
    Span lent = plan.lent().get(v);
    if (lent != null) return lent;
    Long offset = plan.offsets().get(v);
    if (offset != null) return workspace.slice(offset, v.spec().bytes());
    return span(Plan.homes(graph).get(v));
  }

  /** Whether the program has an input of this name. */
  public boolean takes(String input) {
    return inputs.containsKey(input);
  }

  /** Writes an input, all of it, from the beginning of {@code from}. */
  public void write(String input, MemorySegment from) {
    Span to = named(inputs, "input", input);
    backend.upload(from, to.bytes(), to);
  }

  /** Reads an output of the last run. */
  public void read(String output, MemorySegment to) {
    backend.download(named(outputs, "output", output), to);
  }

  /** Reads an output of the last run, later: see {@link Backend#fetch}. The next run may begin before that. */
  public Fetch fetch(String output, MemorySegment to) {
    return backend.fetch(named(outputs, "output", output), to);
  }

  private static Span named(Map<String, Span> spans, String what, String name) {
    Span span = spans.get(name);
    if (span == null) {
      throw new IllegalArgumentException("program: no %s '%s'; there are %s".formatted(what, name, spans.keySet()));
    }
    return span;
  }

  /** Launches every kernel. */
  public void run() {
    all.launch();
  }

  /** Runs the first {@code nodes} nodes. */
  public void run(int nodes) {
    backend.sequence(Arrays.copyOf(kernels, nodes)).launch();
    backend.synchronize();
  }

  /** Runs node by node and adds each one's time to the profile. */
  public void run(Profile profile) {
    for (int i = 0; i < kernels.length; i++) profile.add(graph.nodes().get(i), sets[i], backend.time(kernels[i]));
  }

  /**
   * Runs node by node and stops at the first that makes an infinite value or a NaN.
   *
   * @throws NotFiniteException naming the op, its place, and which operands were finite before it
   */
  public void runChecked() {
    for (int i = 0; i < kernels.length; i++) {
      launch(kernels[i]);
      Node node = graph.nodes().get(i);
      for (int o = 0; o < node.out().size(); o++) {
        if (!isFinite(node.out().get(o))) throw new NotFiniteException(node, o, i);
      }
    }
  }

  private void launch(Kernel kernel) {
    backend.sequence(new Kernel[] {kernel}).launch();
  }

  private boolean isFinite(Value v) {
    if (!v.spec().type().isFloating() || v.spec().bytes() == 0) return true;
    Op check = new AllFinite();
    Spec[] in = {v.spec()}, out = check.outputs(in);
    KernelSet set = backend.choose(check, in).orElseThrow();
    long scratch = set.scratchBytes(check, in);
    try (Slab slab = backend.allocate(Plan.ALIGNMENT + scratch, "finite check"); Arena arena = Arena.ofConfined()) {
      Span flag = slab.span(0, out[0].bytes());
      launch(set.prepare(check, new Operands(in, out, new Span[] {span(v)}, new Span[] {flag},
          slab.span(Plan.ALIGNMENT, scratch))));
      backend.synchronize();
      MemorySegment host = arena.allocate(flag.bytes());
      backend.download(flag, host);
      for (long b = 0; b < host.byteSize(); b++) if (host.get(ValueLayout.JAVA_BYTE, b) != 0) return true;
      return false;
    }
  }

  /** Gives back what the device holds for this program; the workspace is another's. */
  @Override public void close() {
    all.close();
    for (Kernel k : kernels) k.close();
  }

  /** One line a node: number, op, kernel set, operands, bytes, FLOPs, path; then the plan's bytes. */
  public String print() {
    List<String> lines = new ArrayList<>();
    long flops = 0;
    for (int i = 0; i < kernels.length; i++) {
      Node n = graph.nodes().get(i);
      flops += n.flops();
      lines.add("%4d  %-28s %-9s %-58s %10d B %14d FLOP  %s".formatted(i, n.op().name(), sets[i],
          operands(n.in()) + " -> " + operands(n.out()), n.bytes(), n.flops(), n.path()));
    }
    lines.add("%d nodes, %d FLOP, workspace %d B (values %d, scratch %d)".formatted(
        kernels.length, flops, plan.bytes(), plan.valueBytes(), plan.scratchBytes()));
    return String.join("\n", lines) + "\n";
  }

  private static String operands(List<Value> values) {
    List<String> s = new ArrayList<>();
    for (Value v : values) s.add("%" + v.id() + v.shape());
    return String.join(" ", s);
  }
}
