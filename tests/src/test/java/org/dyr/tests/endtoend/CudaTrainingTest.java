package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceOptions.Launching;
import org.dyr.device.Devices;
import org.dyr.nn.Bert;
import org.dyr.nn.Parameter;
import org.dyr.optim.Optimizer;
import org.dyr.optim.UpdateTerms;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the CPU runs, on the device cuda, emulated or a card: the same numbers within rounding. */
class CudaTrainingTest {
  private static final double RATE = 0.02;
  private static final int STEPS = 20;

  @TempDir Path folder;
  private TinyData data;

  @BeforeAll static void open() {
    try (Backend backend = cuda(Launching.RECORDED)) {
      assertEquals("cuda:0", backend.name());
    } catch (IllegalArgumentException e) {
      assumeTrue(false, e.getMessage());
    }
  }

  @BeforeEach void write() throws IOException {
    data = TinyData.write(folder);
  }

  private static Backend cuda(Launching launching) {
    return Devices.open("cuda", new DeviceOptions(1, DeviceOptions.AUTO, DeviceOptions.AUTO, launching));
  }

  private static Backend cpu() {
    return Devices.open("cpu", new DeviceOptions(1, DeviceOptions.AUTO));
  }

  /** What a training has shown: losses, norms, and the weights at its end. */
  private record Run(List<Double> losses, List<Double> norms, Map<String, float[]> weights) {}

  private Run train(Backend device, DType compute, StepSettings settings, double scale) {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(6, 4, 4, 10);
    List<Double> losses = new ArrayList<>(), norms = new ArrayList<>();
    try (Backend backend = device;
        Model model = Model.create(TinyData.model(0.1), Tokenizer.load(folder.resolve("vocab.txt")), backend, 1).in(compute);
        TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, settings); Arena arena = Arena.ofConfined()) {
      List<TrainingStep.Launched> launched = new ArrayList<>();
      for (int i = 0; i < STEPS; i++) {
        UpdateTerms terms = new UpdateTerms(RATE, scale, i);
        launched.add(step.launch(groups, i, terms, terms));
        if (i == 0) continue;
        TrainingStep.Result r = launched.get(i - 1).await();
        losses.add(r.loss());
        norms.add(r.gradientNorm());
      }
      losses.add(launched.getLast().await().loss());
      Map<String, float[]> weights = new TreeMap<>();
      for (Parameter p : model.bert().parameters()) {
        weights.put(p.name(), model.weights().view(model.weights().slab(), p, arena).toArray(ValueLayout.JAVA_FLOAT));
      }
      return new Run(losses, norms, weights);
    }
  }

  private static void assertClose(Run expected, Run actual, double tolerance) {
    for (int i = 0; i < STEPS; i++) {
      assertEquals(expected.losses.get(i), actual.losses.get(i), tolerance, "loss of step " + i);
    }
    for (int i = 0; i < STEPS - 1; i++) {
      assertEquals(expected.norms.get(i), actual.norms.get(i), tolerance * (1 + expected.norms.get(i)), "norm of step " + i);
    }
    expected.weights.forEach((name, weights) -> {
      // A key's bias adds the same to all scores of a query, the classifier's to all logits of a group: their gradients
      // are zero but for rounding, which Lamb scales up.
      if (name.endsWith("key.bias") || name.equals("classifier.bias")) return;
      assertArrayEquals(weights, actual.weights.get(name), 10 * (float) tolerance, name);
    });
    assertTrue(actual.losses.getLast() < 0.5 * actual.losses.getFirst(), "the loss falls: " + actual.losses);
  }

  @Test void twentyStepsAreThoseOfTheCpu() {
    StepSettings settings = new StepSettings(1, 256);
    assertClose(train(cpu(), DType.F32, settings, 1), train(cuda(Launching.RECORDED), DType.F32, settings, 1), 2e-4);
  }

  @Test void microBatchesAndRecomputedLayersToo() {
    StepSettings settings = new StepSettings(1, 64).with(Bert.RECOMPUTE_LAYERS);
    assertClose(train(cpu(), DType.F32, settings, 1), train(cuda(Launching.RECORDED), DType.F32, settings, 1), 2e-4);
  }

  @Test void bf16AndFp16StayNear() {
    StepSettings settings = new StepSettings(1, 256);
    Run expected = train(cpu(), DType.F32, settings, 1);
    for (DType type : List.of(DType.BF16, DType.F16)) {
      Run actual = train(cuda(Launching.RECORDED), type, settings, type == DType.F16 ? 1024 : 1);
      for (int i = 0; i < STEPS; i++) {
        assertEquals(expected.losses.get(i), actual.losses.get(i), 0.1, type + ", loss of step " + i);
      }
    }
  }

  @Test void everyWayOfLaunchingGivesTheSameBits() {
    StepSettings settings = new StepSettings(1, 64);
    Run first = train(cuda(Launching.RECORDED), DType.BF16, settings, 1);
    for (Launching launching : Launching.values()) {
      Run again = train(cuda(launching), DType.BF16, settings, 1);
      assertEquals(first.losses, again.losses, launching.toString());
      first.weights.forEach((name, weights) -> assertArrayEquals(weights, again.weights.get(name), 0, launching + name));
    }
  }

  /** Training, evaluation, checkpoints, going on: the command line's way. */
  @Test void aRunIsResumedBitForBit() throws IOException {
    Map<String, String> settings = new HashMap<>(Map.of("device", "cuda", "compute_type", "bfloat16", "checkpoint_every", "4"));
    Path whole = folder.resolve("whole"), parts = folder.resolve("parts");
    Runs.train(data.config(whole, settings));
    int[] asked = {0};
    Runs.train(data.config(parts, settings), Optional.empty(), () -> ++asked[0] == 4);
    Runs.train(data.config(parts, settings), Optional.of(parts), () -> false);
    assertEquals(Runs.metrics(whole), Runs.metrics(parts));
    assertEquals(8, Runs.metrics(parts).size());
  }

  /** Ranks on one card, each with a stream of its own, their gradients and logits brought together through the host. */
  @Test void aRunOnRanksIsThatOfOne() throws IOException {
    Map<String, String> settings = new HashMap<>(Map.of("device", "cuda", "group_size", "4", "dropout", "0.1",
        "optimizer.name", "momentum", "batch_groups", "2"));
    Path one = folder.resolve("one"), four = folder.resolve("four");
    Runs.train(data.config(one, settings));
    settings.putAll(Map.of("batch_groups", "1", "group_num", "2", "ranks", "4"));
    Runs.train(data.config(four, settings));
    List<String> expected = Files.readAllLines(one.resolve("metrics.jsonl"));
    List<String> actual = Files.readAllLines(four.resolve("metrics.jsonl"));
    assertEquals(8, expected.size());
    for (int i = 0; i < 8; i++) {
      for (String name : List.of("loss", "grad_norm")) {
        assertEquals(number(expected.get(i), name), number(actual.get(i), name), 1e-5, name + " of step " + (i + 1));
      }
    }
    assertEquals(Files.readString(one.resolve("evaluations.jsonl")), Files.readString(four.resolve("evaluations.jsonl")));
  }

  private static double number(String line, String name) {
    return Double.parseDouble(line.replaceAll(".*\"" + name + "\":([^,}]+).*", "$1"));
  }

  /** The scale and the count of updates that follow from an overflow are taken on the device: the next step is under way. */
  @Test void nobodyWaitsForAnOverflow() throws IOException {
    Map<String, String> settings = new HashMap<>(Map.of("device", "cuda", "compute_type", "float16", "keep_checkpoints", "30"));
    List<List<String>> metrics = new ArrayList<>();
    for (String every : List.of("1", "100")) { // each step is awaited for its checkpoint, or none is
      Path out = folder.resolve("every-" + every);
      settings.putAll(Map.of("checkpoint_every", "1", "max_steps", "2"));
      Runs.train(data.config(out, settings));
      Runs.setLossScale(out, 2, "1.0E10");
      settings.putAll(Map.of("checkpoint_every", every, "max_steps", "24"));
      Runs.train(data.config(out, settings), Optional.of(Runs.checkpoint(out, 2)), () -> false);
      metrics.add(Runs.metrics(out));
    }
    assertEquals(metrics.getFirst(), metrics.getLast());
    List<Integer> skipped = metrics.getLast().stream().map(line -> line.replaceAll(".* skipped (\\d+) .*", "$1"))
        .map(Integer::valueOf).toList();
    assertTrue(skipped.getLast() > 1 && skipped.getLast() < 22, "skipped: " + skipped);
    assertTrue(skipped.lastIndexOf(skipped.getLast() - 1) < 22, "updates follow: " + skipped);
  }

  /** Small batches, each launched before the scores of the one before are read; a damaged one is found behind the next. */
  @Test void scoresOfManyBatchesAreThoseOfTheCpu() throws IOException {
    List<EncodedPair> pairs = TinyBatches.pairs(1, 60, 32);
    float[][] scores = new float[2][];
    for (int i = 0; i < 2; i++) {
      try (Backend backend = i == 0 ? cpu() : cuda(Launching.RECORDED);
          Model model = Model.create(TinyData.model(0), Tokenizer.load(folder.resolve("vocab.txt")), backend, 3);
          Scorer scorer = new Scorer(model, Set.of(), 32); Arena arena = Arena.ofConfined()) {
        scores[i] = scorer.score(pairs);
        Parameter words = model.weights().parameters().getFirst();
        MemorySegment table = arena.allocate(model.weights().spec(words).bytes(), 8);
        table.copyFrom(model.weights().view(model.weights().slab(), words, arena));
        int longest = 0;
        for (int p = 1; p < pairs.size(); p++) if (pairs.get(p).length() > pairs.get(longest).length()) longest = p;
        int word = pairs.get(longest).ids()[1], width = words.shape().dim(1);
        table.setAtIndex(ValueLayout.JAVA_FLOAT, (long) word * width, Float.NaN);
        model.weights().upload(words, table);
        String said = assertThrows(IllegalStateException.class, () -> scorer.score(pairs)).getMessage();
        assertTrue(said.contains("embeddings"), said);
        table.setAtIndex(ValueLayout.JAVA_FLOAT, (long) word * width, 0.25f);
        model.weights().upload(words, table);
        for (float score : scorer.score(pairs)) assertTrue(Float.isFinite(score), "it goes on: " + score);
      }
    }
    assertArrayEquals(scores[0], scores[1], 1e-4f);
  }

  @Test void rerankingGivesTheScoresOfTheCpu() throws IOException {
    Path out = folder.resolve("run");
    Runs.train(data.config(out, Map.of("max_steps", "8")));
    String query = TinyData.query(3);
    DeviceOptions options = DeviceOptions.defaults();
    try (Ranker cpu = Ranker.load(out.resolve("model")); Ranker cuda = Ranker.load(out.resolve("model"), "cuda", options)) {
      assertArrayEquals(cpu.score(query, TinyData.passages()), cuda.score(query, TinyData.passages()), 1e-4f);
    }
  }
}
