package org.dyr.graph;

import static org.dyr.graph.Doubles.f64;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Set;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.Backend;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Activation;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;

/** The order of nodes that a rewrite leaves, on a device that has a kernel for every op. */
class FusionsTest {
  private static final KernelSet EVERYTHING = new KernelSet() {
    @Override public String name() {
      return "everything";
    }

    @Override public boolean supports(Op op, Spec[] in) {
      return true;
    }

    @Override public Kernel prepare(Op op, Operands operands) {
      throw new UnsupportedOperationException();
    }
  };

  private static List<String> fused(Graph graph) {
    try (Backend backend = new CpuBackend(new Workers(1), List.of(EVERYTHING), PeakLoop.SCALAR)) {
      Fusions.apply(graph, backend, Fusion.Stage.LAST, Set.of());
    }
    return graph.nodes().stream().map(n -> n.op().name()).toList();
  }

  /** As the gradient of a weight that is used twice is, where sums of products are not fused. */
  @Test void aProductThatIsReadBeforeTheSumOfRowsStaysWhereItIs() {
    for (boolean readBefore : new boolean[] {false, true}) {
      Graph graph = new Graph(DType.F64);
      Value a = graph.input("a", f64(4, 3)), b = graph.input("b", f64(4, 2));
      Value product = graph.emit1(new MatMul(true, false), a, b);
      Activation reader = new Activation(Activation.Kind.TANH);
      if (readBefore) graph.output("y", graph.emit1(reader, product));
      graph.output("sum", graph.emit1(new SumRows(), a));
      if (!readBefore) graph.output("y", graph.emit1(reader, product));
      assertEquals(readBefore ? List.of("MatMul", "Activation[TANH]", "SumRows")
          : List.of("GemmSumRows", "Activation[TANH]"), fused(graph));
    }
  }
}
