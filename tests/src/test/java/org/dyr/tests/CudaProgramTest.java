package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceOptions.Launching;
import org.dyr.device.Devices;
import org.dyr.device.Fetch;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Slab;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Program;
import org.dyr.op.Add;
import org.dyr.op.Scale;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Programs on the device cuda: recorded, launched one by one, and waited for; memory, and what refuses it. */
class CudaProgramTest {

  private static Backend open(Launching launching) {
    try {
      return Devices.open("cuda", new DeviceOptions(1, DeviceOptions.AUTO, DeviceOptions.AUTO, launching));
    } catch (IllegalArgumentException e) {
      assumeTrue(false, e.getMessage());
      throw e;
    }
  }

  /** y = s (x + x), the host's memory overwritten as soon as it is free. */
  @ParameterizedTest @EnumSource(Launching.class) void everyRunReadsItsOwnInputs(Launching launching) {
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Spec.of(DType.F32, 1000)), s = graph.input("s", Spec.of(DType.F32, 1));
    graph.output("y", graph.emit1(new Scale(), graph.emit1(new Add(false), x, x), s));
    try (Backend backend = open(launching); Arena arena = Arena.ofConfined()) {
      Compiler.Compiled compiled = new Compiler(backend).compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace");
          Program program = compiled.program(backend, workspace)) {
        MemorySegment in = arena.allocate(ValueLayout.JAVA_FLOAT, 1000), by = arena.allocate(ValueLayout.JAVA_FLOAT);
        MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, 1000);
        for (int run = 1; run <= 5; run++) {
          float[] expected = new float[1000];
          for (int i = 0; i < 1000; i++) {
            in.setAtIndex(ValueLayout.JAVA_FLOAT, i, i * run);
            expected[i] = run * (i * run + i * run);
          }
          by.set(ValueLayout.JAVA_FLOAT, 0, run);
          program.write("x", in);
          program.write("s", by);
          in.fill((byte) 0xFF);
          by.fill((byte) 0xFF);
          program.run();
          program.read("y", out);
          assertArrayEquals(expected, out.toArray(ValueLayout.JAVA_FLOAT), 0, "run " + run);
        }
      }
    }
  }

  /** More fetches than there are places for, awaited late and in any order, while runs go on. */
  @ParameterizedTest @ValueSource(ints = {1, 16, 17, 5000})
  void fetchesArriveAsTheyWereWhenTheyWereBegun(int n) {
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Spec.of(DType.F32, n));
    graph.output("y", graph.emit1(new Add(false), x, x));
    try (Backend backend = open(Launching.RECORDED); Arena arena = Arena.ofConfined()) {
      Compiler.Compiled compiled = new Compiler(backend).compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace");
          Program program = compiled.program(backend, workspace)) {
        int runs = 600;
        MemorySegment in = arena.allocate(ValueLayout.JAVA_FLOAT, n);
        MemorySegment[] out = new MemorySegment[runs];
        Fetch[] fetches = new Fetch[runs];
        for (int run = 0; run < runs; run++) {
          in.setAtIndex(ValueLayout.JAVA_FLOAT, n - 1, run);
          program.write("x", in);
          program.run();
          out[run] = arena.allocate(ValueLayout.JAVA_FLOAT, n);
          fetches[run] = program.fetch("y", out[run]);
        }
        for (int i = 0; i < runs; i++) {
          int run = i * 7 % runs;
          fetches[run].await();
          assertEquals(2 * run, out[run].getAtIndex(ValueLayout.JAVA_FLOAT, n - 1));
        }
      }
    }
  }

  @Test void slabsAreZeroedAndCopiesLargerThanTheStagingMemoryArrive() {
    try (Backend backend = open(Launching.RECORDED); Arena arena = Arena.ofConfined()) {
      long bytes = 19_000_004;
      try (Slab slab = backend.allocate(bytes, "test")) {
        MemorySegment host = arena.allocate(bytes, 8);
        host.fill((byte) 7);
        backend.download(slab.span(0, bytes), host);
        assertTrue(host.mismatch(arena.allocate(bytes)) < 0, "a new slab is zero");
        for (long i = 0; i < bytes / 4; i++) host.setAtIndex(ValueLayout.JAVA_INT, i, (int) (i * 2654435761L));
        MemorySegment kept = arena.allocate(bytes, 8).copyFrom(host);
        backend.upload(host, bytes, slab.span(0, bytes));
        host.fill((byte) 9);
        backend.download(slab.span(0, bytes), host);
        assertTrue(kept.mismatch(host) < 0, "what went up comes down");
      }
    }
  }

  /** Many more, of all sizes, than the staging memory has places for; the host's memory is overwritten at once. */
  @Test void uploadsThatGetAheadArriveInOrder() {
    int[] sizes = {4, 64, 100, 4, 70_001, 12, 3_000_000, 4, 4, 65_536, 4_200_000, 8};
    try (Backend backend = open(Launching.RECORDED); Arena arena = Arena.ofConfined()) {
      int uploads = 700;
      long bytes = 0;
      for (int i = 0; i < uploads; i++) bytes += sizes[i % 97 % sizes.length];
      try (Slab slab = backend.allocate(bytes, "test")) {
        MemorySegment host = arena.allocate(4_200_000, 8), all = arena.allocate(bytes, 8);
        long at = 0;
        for (int i = 0; i < uploads; i++) {
          int n = sizes[i % 97 % sizes.length];
          host.asSlice(0, n).fill((byte) (i % 251 + 1));
          backend.upload(host, n, slab.span(at, n));
          if (i % 150 == 149) backend.download(slab.span(at, n), all.asSlice(at, n));
          at += n;
        }
        backend.download(slab.span(0, bytes), all);
        at = 0;
        for (int i = 0; i < uploads; i++) {
          int n = sizes[i % 97 % sizes.length];
          assertEquals(-1, all.asSlice(at, n).mismatch(host.asSlice(0, n).fill((byte) (i % 251 + 1))), "upload " + i);
          at += n;
        }
      }
    }
  }

  /** More chunks of rows than a grid has places on any axis but its first. */
  @Test void aColumnOfMillionsOfRowsIsSummed() {
    int rows = 65_536 * 128;
    Graph graph = new Graph(DType.F32);
    graph.output("y", graph.emit1(new SumRows(), graph.input("x", Spec.of(DType.F32, rows, 1))));
    try (Backend backend = open(Launching.RECORDED); Arena arena = Arena.ofConfined()) {
      Compiler.Compiled compiled = new Compiler(backend).compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "workspace");
          Program program = compiled.program(backend, workspace)) {
        MemorySegment in = arena.allocate(ValueLayout.JAVA_FLOAT, rows), out = arena.allocate(ValueLayout.JAVA_FLOAT);
        in.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 1);
        in.setAtIndex(ValueLayout.JAVA_FLOAT, rows - 1, 2);
        program.write("x", in);
        program.run();
        program.read("y", out);
        assertEquals(3, out.get(ValueLayout.JAVA_FLOAT, 0));
      }
    }
  }

  @Test void memoryThatIsRefusedSaysWhatIsHeldAndWhatHelps() {
    try (Backend backend = open(Launching.RECORDED); Slab held = backend.allocate(1 << 20, "weights")) {
      String said = assertThrows(OutOfDeviceMemory.class, () -> backend.allocate(1L << 50, "workspace")).getMessage();
      for (String part : new String[] {"workspace", "weights 1,048,576", "token budget"}) {
        assertTrue(said.contains(part), said);
      }
    }
  }
}
