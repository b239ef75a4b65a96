package org.dyr.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.CpuProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Slab;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Program;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;

class PackedBatchTest {
  private static final Bucket BUCKET = new Bucket(32, 4, 3);

  /** What a program is given as the input of this name. */
  private static int[] written(PackedBatch batch, String name, int size) {
    Graph graph = new Graph(DType.F32);
    graph.output("x", graph.input(name, Spec.of(DType.I32, size)));
    try (Backend backend = new CpuProvider().open(new DeviceOptions(1, "reference"))) {
      Compiler.Compiled compiled = new Compiler(backend).compile(graph);
      try (Slab workspace = backend.allocate(compiled.plan().bytes(), "test");
          Program program = compiled.program(backend, workspace)) {
        batch.writeTo(program, BUCKET);
        int[] x = new int[size];
        program.read("x", MemorySegment.ofArray(x));
        return x;
      }
    }
  }

  private static int[] groups(PackedBatch batch) {
    return written(batch, "groups", BUCKET.groups() + 1);
  }

  @Test void groupsBehindTheLastAreEmpty() {
    try (PackedBatch batch = new PackedBatch(BUCKET)) {
      batch.add(new int[] {1, 2}, 1, 0);
      assertArrayEquals(new int[] {0, 0, 0, 0}, groups(batch), "none has ended");
      batch.add(new int[] {3}, 1, 1);
      batch.endGroup();
      assertArrayEquals(new int[] {0, 2, 2, 2}, groups(batch));
    }
  }

  @Test void sequencesBehindTheLastGroupBelongToNone() {
    try (PackedBatch batch = new PackedBatch(BUCKET)) {
      batch.add(new int[] {1, 2}, 1, 0);
      batch.endGroup();
      batch.add(new int[] {3}, 1, 1);
      assertArrayEquals(new int[] {0, 1, 1, 1}, groups(batch));
    }
  }

  /** It has no [CLS]: its row would be another's, or behind the last token. */
  @Test void aSequenceHasAToken() {
    try (PackedBatch batch = new PackedBatch(BUCKET)) {
      batch.add(new int[32], 1, 0);
      assertEquals("a sequence has at least one token",
          assertThrows(IllegalArgumentException.class, () -> batch.add(new int[0], 0, 1)).getMessage());
      assertArrayEquals(new int[] {0, 0, 0, 0}, written(batch, "first", BUCKET.sequences()));
    }
  }
}
