package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.graph.Bucket;
import org.dyr.nn.Bert;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What shares a batch changes nothing: scores, dropout masks, gradients. */
class PackingTest {
  private static final int PAIRS = 24;
  private static final int LONGEST = 32;
  private static final double CLOSE = 1e-5;

  @TempDir Path folder;

  static List<String> sets() {
    return KernelSets.names();
  }

  private Model model(Backend backend, double dropout) throws IOException {
    TinyData.write(folder);
    return Model.create(TinyData.model(dropout), Tokenizer.load(folder.resolve("vocab.txt")), backend, 3);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void aScoreDoesNotDependOnWhatSharesTheBatch(String set) throws IOException {
    List<EncodedPair> pairs = TinyBatches.pairs(1, PAIRS, LONGEST);
    try (Backend backend = KernelSets.open(set);
        Model model = model(backend, 0.1);
        Scorer large = new Scorer(model, Set.of());
        Scorer small = new Scorer(model, Set.of(), LONGEST)) {
      float[] together = large.score(pairs);
      assertNotEquals(together[0], together[1], "the scores tell pairs apart");
      float[] alone = new float[PAIRS];
      for (int i = 0; i < PAIRS; i++) alone[i] = large.score(List.of(pairs.get(i)))[0];
      assertArrayEquals(alone, together, (float) CLOSE, "alone and together");
      assertArrayEquals(alone, small.score(pairs), (float) CLOSE, "in small batches");
      List<Integer> order = new ArrayList<>();
      for (int i = 0; i < PAIRS; i++) order.add(i);
      Collections.shuffle(order, new Random(5));
      float[] shuffled = large.score(order.stream().map(pairs::get).toList());
      float[] back = new float[PAIRS];
      for (int i = 0; i < PAIRS; i++) back[order.get(i)] = shuffled[i];
      assertArrayEquals(alone, back, (float) CLOSE, "in another order");
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void dropoutDoesNotDependOnWhatSharesTheBatch(String set) {
    List<EncodedPair> pairs = TinyBatches.pairs(2, 8, LONGEST);
    int tokens = pairs.stream().mapToInt(EncodedPair::length).sum();
    Bert bert = new Bert(TinyData.model(0.5));
    try (Backend backend = KernelSets.open(set);
        Weights weights = new Weights(backend, DType.F32, bert.parameters());
        PackedBatch batch = new PackedBatch(new Bucket(tokens, pairs.size(), 1))) {
      weights.initialize(4, 0.2);
      double[] together = dropped(backend, bert, weights, batch, pairs, 0, 7);
      for (int i = 0; i < pairs.size(); i++) {
        double[] alone = dropped(backend, bert, weights, batch, List.of(pairs.get(i)), i, 7);
        assertEquals(together[i], alone[0], CLOSE, "sequence " + i + " alone and with the others");
      }
      double[] nextStep = dropped(backend, bert, weights, batch, pairs, 0, 8);
      assertEquals(0, count(together, nextStep), "sequences that drop the same in the next step");
    }
  }

  /** Logits in training, the sequences numbered from {@code first}. */
  private static double[] dropped(Backend backend, Bert bert, Weights weights, PackedBatch batch,
      List<EncodedPair> pairs,
      int first, int step) {
    batch.clear();
    for (int i = 0; i < pairs.size(); i++) batch.add(pairs.get(i).ids(), pairs.get(i).firstSegment(), first + i);
    batch.endGroup();
    batch.random(0x123456789abcdefL, step);
    try (BertProgram program = new BertProgram(backend, bert, weights, batch.bucket(), true, Set.of())) {
      program.run(batch);
      return program.logits(pairs.size());
    }
  }

  private static int count(double[] a, double[] b) {
    int same = 0;
    for (int i = 0; i < a.length; i++) if (Math.abs(a[i] - b[i]) < CLOSE) same++;
    return same;
  }

  @ParameterizedTest
  @MethodSource("sets")
  void aStepDoesNotDependOnItsMicroBatches(String set) throws IOException {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(3, 6, 3, 16);
    try (Backend backend = KernelSets.open(set); Model model = model(backend, 0.3)) {
      Outcome whole = step(model, groups, 512);
      Outcome cut = step(model, groups, 48);
      assertEquals(18, whole.result.sequences());
      assertEquals(whole.result.tokens(), cut.result.tokens());
      assertEquals(whole.result.loss(), cut.result.loss(), 1e-6 * whole.result.loss());
      assertEquals(whole.result.gradientNorm(), cut.result.gradientNorm(), 1e-6 * whole.result.gradientNorm());
      assertArrayEquals(whole.gradient, cut.gradient, 1e-6 * whole.result.gradientNorm());
    }
  }

  private record Outcome(TrainingStep.Result result, double[] gradient) {}

  /** A step that moves nothing (its rate is 0), with its gradient. */
  private static Outcome step(Model model, List<EncodedGroup> groups, int budget) {
    try (TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(11, budget))) {
      TrainingStep.Result result = step.run(groups, 5, 0);
      double[] all = {};
      for (Parameter p : model.weights().parameters()) {
        var segment = model.weights().spanIn(step.gradients(), p).segment();
        int from = all.length, n = Math.toIntExact(p.shape().size());
        all = Arrays.copyOf(all, from + n);
        for (int i = 0; i < n; i++) all[from + i] = segment.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      }
      return new Outcome(result, all);
    }
  }
}
