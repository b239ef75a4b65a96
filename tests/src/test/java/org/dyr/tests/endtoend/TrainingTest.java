package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.graph.NotFiniteException;
import org.dyr.nn.Parameter;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.Trainer;
import org.dyr.ranker.train.TrainingListener;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TrainingTest {
  private static final double RATE = 0.02;

  /** Of the plain loops, when this test was written. */
  private static final double[] LOSSES = {1.4097404, 1.2563362, 1.0925043, 0.8803846, 0.6546984, 0.4442564, 0.2645026,
      0.1343520, 0.0778302, 0.0522215};

  @TempDir Path folder;
  private TinyData data;

  @BeforeEach
  void write() throws IOException {
    data = TinyData.write(folder);
  }

  static List<String> sets() {
    return KernelSets.names();
  }

  /** Four groups, the same ones ten times: the loss falls as recorded, on every kernel set. */
  @ParameterizedTest
  @MethodSource("sets")
  void overfitsAsRecorded(String set) {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(6, 4, 4, 10);
    List<Double> losses = new ArrayList<>();
    try (Backend backend = KernelSets.open(set);
        Model model = Model.create(TinyData.model(0), Tokenizer.load(folder.resolve("vocab.txt")), backend, 4);
        TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(1, 256))) {
      for (int i = 0; i < 10; i++) losses.add(step.run(groups, i, RATE).loss());
    }
    assertEquals(LOSSES.length, losses.size(), losses.toString());
    for (int i = 0; i < LOSSES.length; i++) assertEquals(LOSSES[i], losses.get(i), 1e-5, "step " + i + " of " + losses);
    assertTrue(losses.getLast() < 0.1 * losses.getFirst(), losses.toString());
  }

  @Test void aLossThatIsNotFiniteEndsTheRunAndLeavesTheLastCheckpoint() throws IOException {
    Path out = folder.resolve("run");
    TrainConfig config = data.config(out, Map.of("optimizer.name", "momentum", "optimizer.learning_rate", "1e38",
        "optimizer.warmup_ratio", "0", "checkpoint_every", "1"));
    IllegalStateException e = assertThrows(IllegalStateException.class, () -> Runs.train(config));
    assertTrue(e.getMessage().matches("the gradient of step 2 is not finite \\(loss \\S+\\): --check-nan names "
        + "the op; .*"),
        e.getMessage());
    assertEquals(List.of(Runs.checkpoint(out, 1)), Runs.checkpoints(out));
    assertEquals(1, Runs.metrics(out).size());
    try (Backend backend = KernelSets.open("reference");
        Model model = ModelDirectory.load(Runs.checkpoint(out, 1), backend)) {
      assertEquals(TinyData.VOCABULARY, model.bert().config().vocabSize());
    }
  }

  /** A model whose first feed-forward layer has one weight of NaN. */
  private Path damaged() throws IOException {
    Path directory = folder.resolve("damaged");
    try (Backend backend = KernelSets.open("reference");
        Model model = Model.create(TinyData.model(0), Tokenizer.load(folder.resolve("vocab.txt")), backend, 1)) {
      Parameter p = model.bert().parameters().stream()
          .filter(q -> q.name().equals("bert.encoder.layer.0.intermediate.dense.weight")).findFirst().orElseThrow();
      model.weights().span(p).segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5, Float.NaN);
      ModelDirectory.save(model, directory);
    }
    return directory;
  }

  @ParameterizedTest
  @MethodSource("sets")
  void checkNanNamesOpAndPlace(String set) throws IOException {
    TrainConfig config = data.config(folder.resolve("run"),
        Map.of("pretrained", damaged().toString(), "model_config", "", "vocab", "", "kernels", set));
    try (Trainer trainer = new Trainer(config, Optional.empty(), new Trainer.Watch(false, true),
        new TrainingListener() {})) {
      NotFiniteException e = assertThrows(NotFiniteException.class, () -> trainer.run(() -> false));
      assertTrue(e.getMessage().matches("node \\d+, (MatMul|Gemm\\S*) at encoder\\.0\\.feed_forward(\\.dense)?, is the "
          + "first to make an infinite value or a NaN: output 0, .*"), e.getMessage());
    }
  }

  @Test void aDamagedModelDoesNotScore() throws IOException {
    try (Ranker ranker = Ranker.load(damaged())) {
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> ranker.score("where",
          TinyData.passages()));
      assertTrue(e.getMessage().matches(".*NaN.* at encoder\\.0\\.feed_forward(\\.dense)?, is the first .*"),
          e.getMessage());
    }
  }

  @Test void profileTimesEveryOp() throws IOException {
    TrainConfig config = data.config(folder.resolve("run"), Map.of("max_steps", "2"));
    try (Trainer trainer = new Trainer(config, Optional.empty(), new Trainer.Watch(true, false),
        new TrainingListener() {})) {
      assertTrue(trainer.run(() -> false));
      String table = trainer.profile().orElseThrow();
      assertTrue(table.contains("encoder.*.attention"), table);
      assertTrue(table.contains("Lamb"), table);
      assertNotEquals(0, trainer.steps());
    }
  }
}
