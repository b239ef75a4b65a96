package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.dyr.cpu.CpuBackend;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.nn.Bert;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.optim.UpdateTerms;
import org.dyr.optim.Updater;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run allocates nothing: no slab, and nothing on the heap, on any thread of the engine. */
class AllocationTest {
  private static final int RUNS = 200;
  private static final int PATIENCE = 60;
  private static final com.sun.management.ThreadMXBean THREADS =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  static List<String> sets() {
    return KernelSets.names();
  }

  private static final class Rig implements AutoCloseable {
    final CpuBackend cpu;
    final CountingBackend backend;
    final Bert bert;
    final Weights weights;
    final PackedBatch batch;
    final List<List<EncodedPair>> groups = TinyBatches.groups(1, 2, 3, 8);
    final long[] workers;

    Rig(String set, boolean relativePositions) {
      bert = new Bert(TinyData.model(0.1).sized(16, 1, 2).withRelativePositions(relativePositions));
      cpu = (CpuBackend) KernelSets.open(set);
      backend = new CountingBackend(cpu);
      weights = new Weights(backend, DType.F32, bert.parameters());
      weights.initialize(1, 0.2);
      batch = new PackedBatch(new Bucket(64, 6, 2));
      workers = cpu.workers().threadIds();
    }

    /** The batch filled anew, as a step does. */
    void fill(int step) {
      batch.clear();
      int number = 0;
      for (int g = 0; g < groups.size(); g++) {
        List<EncodedPair> group = groups.get(g);
        for (int i = 0; i < group.size(); i++) batch.add(group.get(i).ids(), group.get(i).firstSegment(), number++);
        batch.endGroup();
      }
      batch.random(9, step);
    }

    /** Heap bytes that the calling thread and the workers have allocated so far. */
    long heap() {
      long bytes = THREADS.getCurrentThreadAllocatedBytes();
      for (long id : workers) bytes += THREADS.getThreadAllocatedBytes(id);
      return bytes;
    }

    @Override public void close() {
      batch.close();
      weights.close();
      cpu.close();
    }
  }

  /**
   * Rounds of runs until one allocates nothing: until the compiler has seen all of the path, vectors are objects. Fails
   * when none does. Slabs must never be allocated.
   */
  private static void assertAllocatesNothing(Rig rig, Runnable run) {
    run.run();
    int slabs = rig.backend.allocations();
    long slabBytes = rig.backend.liveBytes();
    long[] rounds = new long[PATIENCE];
    for (int round = 0; round < PATIENCE; round++) {
      long before = rig.heap();
      for (int i = 0; i < RUNS; i++) run.run();
      rounds[round] = rig.heap() - before;
      assertEquals(slabs, rig.backend.allocations(), "slabs allocated");
      assertEquals(slabBytes, rig.backend.liveBytes(), "bytes of slabs");
      if (rounds[round] == 0) return;
    }
    fail("heap bytes of %d runs, round after round: %s".formatted(RUNS, Arrays.toString(rounds)));
  }

  @ParameterizedTest
  @MethodSource("sets")
  void aTrainingStepAllocatesNothing(String set) {
    aTrainingStepAllocatesNothing(set, false, DType.F32);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void norDoesOneInBf16(String set) {
    aTrainingStepAllocatesNothing(set, false, DType.BF16);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void norDoesOneWithRelativePositions(String set) {
    aTrainingStepAllocatesNothing(set, true, DType.F32);
  }

  private static void aTrainingStepAllocatesNothing(String set, boolean relativePositions, DType compute) {
    try (Rig rig = new Rig(set, relativePositions)) {
      rig.fill(0);
      try (BertProgram program = new BertProgram(rig.bert, rig.weights, rig.batch.bucket(), true, compute,
              new Compiler(rig.backend));
          Updater updater = new Updater(rig.backend, rig.weights, program.gradients(), new Optimizer.Lamb(), 1)) {
        int[] step = {0};
        UpdateTerms terms = new UpdateTerms(1e-4, 1, 0);
        assertAllocatesNothing(rig, () -> {
          rig.fill(step[0]++);
          program.run(rig.batch);
          updater.step(terms, null);
        });
        assertTrue(Double.isFinite(program.loss()));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void inferenceAllocatesNothing(String set) {
    try (Rig rig = new Rig(set, false)) {
      rig.fill(0);
      try (BertProgram program =
          new BertProgram(rig.backend, rig.bert, rig.weights, rig.batch.bucket(), false, Set.of())) {
        double first = program.logit(0);
        assertEquals(0, first);
        assertAllocatesNothing(rig, () -> {
          rig.fill(0);
          program.run(rig.batch);
        });
        assertTrue(program.logit(0) != 0 && Double.isFinite(program.logit(0)));
      }
    }
  }
}
