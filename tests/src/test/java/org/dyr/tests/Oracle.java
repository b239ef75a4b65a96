package org.dyr.tests;

import java.util.List;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** What a case must give: the plain loops in double; a fused op by its decomposition. */
final class Oracle {
  private Oracle() {}

  /** The CPU with nothing but the plain loops. */
  static Backend reference() {
    return new CpuBackend(new Workers(1), List.of(new Reference()), PeakLoop.SCALAR);
  }

  /** The outputs of the case for these elements of its inputs. */
  static double[][] run(OpCase c, double[][] in) {
    Spec[] specs = c.specs(DType.F64);
    try (Backend backend = reference(); Memory memory = Memory.of(backend, 0, specs)) {
      Graph graph = new Graph(DType.F64);
      Value[] values = new Value[specs.length];
      for (int i = 0; i < values.length; i++) values[i] = graph.bound(specs[i], memory.put(specs[i], in[i]));
      Value[] out = graph.emit(c.op(), values);
      for (int i = 0; i < out.length; i++) graph.output("out " + i, out[i]);
      Compiler.Compiled compiled = new Compiler(backend).compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace")) {
        var program = compiled.program(backend, workspace);
        program.run();
        double[][] result = new double[out.length][];
        for (int i = 0; i < out.length; i++) {
          try (Slab host = backend.allocate(out[i].spec().bytes(), "output")) {
            program.read("out " + i, host.host());
            result[i] = Memory.read(new Span(host, 0, host.bytes()), out[i].spec());
          }
        }
        memory.checkGuards(c.name());
        return result;
      }
    }
  }
}
