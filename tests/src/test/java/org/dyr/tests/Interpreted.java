package org.dyr.tests;

import java.util.ArrayList;
import java.util.List;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Program;
import org.dyr.op.FusedOp;
import org.dyr.op.Op;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * A kernel set that has a kernel for every op: a fused op runs its decomposition on the plain loops. With it the
 * fusions are tested on any machine, in double.
 */
final class Interpreted implements KernelSet, AutoCloseable {
  private final Reference reference = new Reference();
  private final Backend plain = Oracle.reference();
  private final List<Slab> workspaces = new ArrayList<>();

  @Override public String name() {
    return "interpreted";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    op.outputs(in);
    return true;
  }

  @Override public Kernel prepare(Op op, Operands o) {
    if (!(op instanceof FusedOp fused)) return reference.prepare(op, o);
    Graph graph = new Graph(DType.F64);
    Value[] in = new Value[o.in().length];
    for (int i = 0; i < in.length; i++) in[i] = graph.bound(o.in()[i], o.inputs()[i]);
    Value[] out = fused.decompose(graph, in);
    for (int i = 0; i < out.length; i++) graph.output("out " + i, out[i]);
    Compiler.Compiled compiled = new Compiler(plain).compile(graph);
    Slab workspace = plain.allocate(compiled.plan().bytes(), "workspace of " + op.name());
    workspaces.add(workspace);
    Program program = compiled.program(plain, workspace);
    return () -> {
      program.run();
      for (int i = 0; i < out.length; i++) {
        if (op.aliasOf(i) < 0) program.read("out " + i, o.outputs()[i].segment());
      }
    };
  }

  @Override public void close() {
    workspaces.forEach(Slab::close);
    plain.close();
  }
}
