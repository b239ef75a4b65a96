package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.dyr.device.Backend;
import org.dyr.nn.Bert;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.Balance;
import org.dyr.ranker.train.BlockSplit;
import org.dyr.ranker.train.Compression;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.MemoryPlan;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;

/** What a plan says before the first step is what the run holds to its end. */
class MemoryPlanTest {
  private static final int LENGTH = 32;
  private static final int BLOCK = 8;

  private static List<EncodedGroup> blocks(int count, Random random) {
    List<EncodedGroup> blocks = new ArrayList<>();
    for (int b = 0; b < count; b++) {
      List<EncodedPair> pairs = new ArrayList<>();
      for (int i = 0; i < BLOCK; i++) {
        int length = b == 0 ? LENGTH : 4 + random.nextInt(LENGTH - 3);
        pairs.add(new EncodedPair(random.ints(length, 0, TinyData.VOCABULARY).toArray(), 3));
      }
      blocks.add(EncodedGroup.of(pairs));
    }
    return blocks;
  }

  private static void check(StepSettings settings, DType compute, int count) {
    try (CountingBackend backend = new CountingBackend(KernelSets.open("vector"))) {
      List<CountingBackend> others = new ArrayList<>();
      Bert bert = new Bert(TinyData.model(0.1));
      try (Weights weights = new Weights(backend, DType.F32, bert.parameters())) {
        weights.initialize(1, 0.2);
        Model model = new Model(bert, weights, null, backend, compute);
        try (TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, settings, rank -> other(others))) {
          step.reserve(count, BLOCK, LENGTH);
          MemoryPlan plan = step.memory();
          assertEquals(held(backend, others), plan.total(), "planned");
          Random random = new Random(1);
          for (int i = 0; i < 3; i++) assertTrue(step.run(blocks(count, random), i, 1e-3).applied());
          assertEquals(plan.total(), held(backend, others), 0.02 * plan.total(), "held after three steps");
        }
      }
    }
  }

  private static synchronized Backend other(List<CountingBackend> others) {
    CountingBackend b = new CountingBackend(KernelSets.open("vector"));
    others.add(b);
    return b;
  }

  private static long held(CountingBackend backend, List<CountingBackend> others) {
    return backend.liveBytes() + others.stream().mapToLong(CountingBackend::liveBytes).sum();
  }

  @Test void allOfAStepIsPlanned() {
    for (int budget : Arrays.asList(BLOCK * LENGTH, 1000, 4096)) check(new StepSettings(1, budget), DType.F32, 4);
  }

  @Test void recomputedActivationsAndHalfTypesToo() {
    check(new StepSettings(1, 1000).with(Bert.RECOMPUTE_LAYERS), DType.F32, 4);
    check(new StepSettings(1, 1000), DType.BF16, 4);
  }

  @Test void ranksAndScoringToo() {
    Compression compression = new Compression(Compression.Form.TWO_PASS, List.of(Compression.Level.model(3)));
    check(new StepSettings(1, 1000).with(compression), DType.F32, 4);
    check(new StepSettings(1, 300).with(new BlockSplit(4, 2, Balance.SAMPLES)), DType.F32, 4);
  }
}
