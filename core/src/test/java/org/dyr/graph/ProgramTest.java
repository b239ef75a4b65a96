package org.dyr.graph;

import static org.dyr.graph.Doubles.f64;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.Backend;
import org.dyr.device.DeviceException;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Scale;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ProgramTest {
  private final Backend backend = Doubles.cpu();
  private final Slab workspace = backend.allocate(1 << 16, "workspace");

  @AfterEach void close() {
    workspace.close();
    backend.close();
  }

  /** y = relu(x w) s, each op at a path of its own. */
  private static Graph model(int rows) {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(rows, 2)), w = graph.input("w", f64(2, 3)), s = graph.input("s", f64(1));
    Value product;
    Value y;
    try (Graph.Scope _ = graph.scope("encoder.0"); Graph.Scope _ = graph.scope("up")) {
      product = graph.emit1(new MatMul(false, false), x, w);
    }
    try (Graph.Scope _ = graph.scope("encoder.0"); Graph.Scope _ = graph.scope("scale")) {
      y = graph.emit1(new Scale(), graph.emit1(new Activation(Activation.Kind.RELU), product), s);
    }
    graph.output("product", product);
    graph.output("y", y);
    return graph;
  }

  private Program program(Graph graph) {
    return new Compiler(backend).compile(graph).program(backend, workspace);
  }

  private static void write(Program p, double scale) {
    Doubles.write(p, "x", 1, 2, 3, -4);
    Doubles.write(p, "w", 1, 0, -1, 2, 1, 0);
    Doubles.write(p, "s", scale);
  }

  @Test void runsEveryKernel() {
    Program p = program(model(2));
    write(p, 2);
    p.run();
    assertArrayEquals(new double[] {5, 2, -1, -5, -4, -3}, Doubles.read(p, "product", 6));
    assertArrayEquals(new double[] {10, 4, 0, 0, 0, 0}, Doubles.read(p, "y", 6));
  }

  @Test void runsUpToANode() {
    Program p = program(model(2));
    write(p, 2);
    p.run();
    write(p, 3);
    Doubles.write(p, "x", 2, 4, 6, -8);
    p.run(1);
    assertArrayEquals(new double[] {10, 4, -2, -10, -8, -6}, Doubles.read(p, "product", 6), "the first node has run");
    assertArrayEquals(new double[] {10, 4, 0, 0, 0, 0}, Doubles.read(p, "y", 6), "the last has not");
  }

  @Test void printsOpsShapesBytesFlopsAndPaths() {
    Program p = program(model(2));
    String[] lines = p.print().split("\n");
    assertEquals(4, lines.length);
    assertTrue(lines[0].matches(
        " *0 +MatMul +reference +%0\\(2,2\\) %1\\(2,3\\) -> %3\\(2,3\\) +128 B +24 FLOP +encoder\\.0\\.up"),
        lines[0]);
    assertTrue(lines[2].contains("Scale") && lines[2].endsWith("encoder.0.scale"), lines[2]);
    assertTrue(lines[3].startsWith("3 nodes, 24 FLOP, workspace "), lines[3]);
  }

  @Test void theCheckedRunNamesTheFirstOpThatMadeANan() {
    Program p = program(model(2));
    write(p, 2);
    p.runChecked();
    assertArrayEquals(new double[] {10, 4, 0, 0, 0, 0}, Doubles.read(p, "y", 6));
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      write(p, bad);
      String message = assertThrows(NotFiniteException.class, p::runChecked).getMessage();
      assertTrue(message.startsWith("node 2, Scale at encoder.0.scale, is the first"), message);
    }
    write(p, 1);
    Doubles.write(p, "x", 1, Double.NEGATIVE_INFINITY, 3, -4);
    String message = assertThrows(NotFiniteException.class, p::runChecked).getMessage();
    assertTrue(message.startsWith("node 0, MatMul at encoder.0.up, is the first"), message);
  }

  @Test void theProfileCountsCallsAndMatrixProducts() {
    Program p = program(model(2));
    write(p, 1);
    Profile profile = new Profile();
    for (int i = 0; i < 3; i++) p.run(profile);
    String table = profile.print(new Peak(1e9, 1e9, 1e9));
    assertTrue(table.contains("MatMul (2,3) k=2 [reference]") && table.contains("encoder.*.up"), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("Scale \\[reference] +f64 +3 .*")), table);
    assertTrue(profile.matrixShare() > 0 && profile.matrixShare() < 1 && profile.nanos() > 0, table);
  }

  @Test void aNameThatIsNoneIsAnError() {
    Program p = program(model(2));
    assertFalse(p.takes("nothing"));
    assertTrue(p.takes("x"));
    String message = assertThrows(IllegalArgumentException.class, () -> Doubles.write(p, "nothing", 1)).getMessage();
    assertTrue(message.contains("nothing") && message.contains("x"), message);
    assertThrows(IllegalArgumentException.class, () -> Doubles.read(p, "nothing", 1));
  }

  @Test void aDeviceWithoutAKernelSaysWhichOpAndWhere() {
    Graph graph = new Graph(DType.F64);
    Value x = graph.input("x", f64(2));
    try (Graph.Scope _ = graph.scope("encoder.7")) {
      graph.emit1(new Add(false), x, x);
    }
    try (Backend bare = new CpuBackend(new Workers(1), List.of(), PeakLoop.SCALAR)) {
      String message =
          assertThrows(UnsupportedOperationException.class, () -> new Compiler(bare).compile(graph)).getMessage();
      assertEquals("cpu has no kernel for Add of [f64(2), f64(2)]   at encoder.7", message);
    }
  }

  /** Kernels may hold memory of the device that only they give back. */
  @Test void whereOneKernelCannotBePreparedTheOthersAreClosed() {
    int[] open = {0};
    KernelSet set = new KernelSet() {
      @Override public String name() {
        return "failing";
      }

      @Override public boolean supports(Op op, Spec[] in) {
        return true;
      }

      @Override public Kernel prepare(Op op, Operands operands) {
        if (op instanceof Scale) throw new DeviceException("no memory for a kernel");
        open[0]++;
        return new Kernel() {
          @Override public void launch() {}

          @Override public void close() {
            open[0]--;
          }
        };
      }
    };
    try (Backend failing = new CpuBackend(new Workers(1), List.of(set), PeakLoop.SCALAR)) {
      Compiler.Compiled compiled = new Compiler(failing).compile(model(2));
      assertThrows(DeviceException.class, () -> compiled.program(failing, workspace));
      assertEquals(0, open[0]);
    }
  }

  @Test void theCacheGrowsItsWorkspaceAndPreparesAgain() {
    try (ProgramCache<Integer> cache = new ProgramCache<>(backend, rows ->
        new Compiler(backend).compile(model(rows)))) {
      assertEquals(0, cache.workspaceBytes());
      Program small = cache.get(2);
      long before = cache.workspaceBytes();
      assertSame(small, cache.get(2));
      Program large = cache.get(200);
      assertTrue(cache.workspaceBytes() > before);
      assertSame(large, cache.get(200));
      Program again = cache.get(2);
      assertTrue(again != small, "a program in freed memory was kept");
      assertSame(large, cache.get(200));
      write(again, 2);
      again.run();
      assertArrayEquals(new double[] {10, 4, 0, 0, 0, 0}, Doubles.read(again, "y", 6));
      cache.reserve(1);
      assertSame(again, cache.get(2));
    }
  }

  @Test void aCacheThatWasRefusedMemoryStillServes() {
    try (ProgramCache<Integer> cache = new ProgramCache<>(backend, rows ->
        new Compiler(backend).compile(model(rows)))) {
      cache.get(2);
      assertThrows(OutOfDeviceMemory.class, () -> cache.reserve(1L << 60));
      Program again = cache.get(2);
      write(again, 1);
      again.run();
      assertArrayEquals(new double[] {5, 2, 0, 0, 0, 0}, Doubles.read(again, "y", 6));
    }
  }
}
