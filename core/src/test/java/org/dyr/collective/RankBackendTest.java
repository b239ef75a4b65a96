package org.dyr.collective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.graph.Backprop;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Program;
import org.dyr.op.AllGather;
import org.dyr.op.MatMul;
import org.dyr.op.Sum;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Programs of ranks that gather, and their gradients. */
@Timeout(60)
class RankBackendTest {
  private static final int RANKS = 3;
  private static final int ROWS = 2;
  private static final int ALL = RANKS * ROWS;
  private static final double STEP = 1e-5;

  private static Backend plain() {
    return new CpuBackend(new Workers(1), List.of(new Reference()), PeakLoop.SCALAR);
  }

  @Test void gatheringNeedsTheRanks() {
    Spec[] in = {Spec.of(DType.F32, ALL, 1)};
    try (Backend one = plain(); Backend rank = new RankBackend(plain(), new Solo())) {
      assertTrue(one.choose(new AllGather(1), in).isPresent());
      assertFalse(one.choose(new AllGather(RANKS), in).isPresent());
      assertFalse(one.choose(new AllGather.Grad(RANKS), in).isPresent());
      assertEquals("collective", rank.choose(new AllGather(1), in).orElseThrow().name());
      assertFalse(rank.choose(new AllGather(RANKS), in).isPresent());
    }
  }

  /**
   * The loss is z' A z of what z all ranks give together. Each rank's gradient must be the derivative by its own z,
   * which central differences of every element give.
   */
  @Test void theGradientIsThatOfEveryRanksOwnPart() {
    try (ThreadRanks threads = new ThreadRanks(RANKS)) {
      threads.run(ranks -> {
        try (Backend backend = new RankBackend(plain(), ranks);
            Slab z = backend.allocate(ROWS * Double.BYTES, "z");
            Slab gradient = backend.allocate(ROWS * Double.BYTES, "gradient");
            Slab matrix = backend.allocate(ALL * ALL * Double.BYTES, "matrix");
            Slab number = backend.allocate(Double.BYTES, "number")) {
          for (int i = 0; i < ROWS; i++) set(z, i, 0.5 + ROWS * ranks.rank() + i);
          for (int i = 0; i < ALL * ALL; i++) set(matrix, i, Math.sin(i));
          Graph graph = new Graph(DType.F64);
          Value own = graph.bound(Spec.of(DType.F64, ROWS, 1), z.span(0, z.bytes()));
          Value a = graph.bound(Spec.of(DType.F64, ALL, ALL), matrix.span(0, matrix.bytes()));
          Value all = graph.emit1(new AllGather(RANKS), own);
          Value az = graph.emit1(new MatMul(false, false), a, all);
          graph.output("loss", graph.emit1(new Sum(), graph.emit1(new MatMul(true, false), all, az)));
          var compiled = new Compiler(backend).compile(graph, "loss", Map.of(own, gradient.span(0, gradient.bytes())),
              false);
          try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace")) {
            Program program = compiled.program(backend, workspace);
            set(number, 0, 1);
            program.write(Backprop.LOSS_SCALE, number.host());
            program.run();
            double[] analytic = {get(gradient, 0), get(gradient, 1)};
            for (int r = 0; r < RANKS; r++) {
              for (int i = 0; i < ROWS; i++) {
                double slope = (loss(program, z, number, ranks.rank() == r, i, STEP)
                    - loss(program, z, number, ranks.rank() == r, i, -STEP)) / (2 * STEP);
                if (ranks.rank() == r) assertEquals(slope, analytic[i], 1e-6 * Math.max(1, Math.abs(slope)));
              }
            }
          }
        }
      });
    }
  }

  /** The loss, in every rank, with one element of the rank whose turn it is moved. */
  private static double loss(Program program, Slab z, Slab number, boolean turn, int element, double by) {
    double before = get(z, element);
    if (turn) set(z, element, before + by);
    program.run();
    set(z, element, before);
    program.read("loss", number.host());
    return get(number, 0);
  }

  private static void set(Slab slab, int i, double x) {
    slab.host().setAtIndex(ValueLayout.JAVA_DOUBLE, i, x);
  }

  private static double get(Slab slab, int i) {
    return slab.host().getAtIndex(ValueLayout.JAVA_DOUBLE, i);
  }
}
