package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.graph.NotFiniteException;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.Balance;
import org.dyr.ranker.train.BlockSplit;
import org.dyr.ranker.train.Compression;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** However a step is split over ranks, it is the step of one rank. */
class RanksTest {
  private static final int STEPS = 5;
  private static final int WHOLE = 4096;
  private static final Compression IN_GRAPH = new Compression(Compression.Form.IN_GRAPH,
      List.of(Compression.Level.model(3)));
  private static final Compression TWO_PASS = new Compression(Compression.Form.TWO_PASS,
      List.of(new Compression.Level(Compression.Scorer.LAYERS, 1, 5), Compression.Level.model(3)));

  /** A kernel set, what it computes in, and how far a parameter may be from that of one rank, relative to its norm. */
  private record Arithmetic(String set, DType type, double tolerance) {

    /**
     * In fp32 without Lamb: the gradient of a key's bias is zero but for rounding, and Lamb divides it by its own size.
     */
    Optimizer optimizer() {
      return type == DType.F64 ? new Optimizer.Lamb() : new Optimizer.Momentum(0.9);
    }
  }

  private static final Arithmetic DOUBLE = new Arithmetic("reference", DType.F64, 1e-9);
  private static final Arithmetic SINGLE = new Arithmetic("vector", DType.F32, 1e-5);

  /** What a run leaves behind: losses and gradient norms of its steps, and the parameters by name. */
  private record Outcome(List<Double> losses, List<Double> norms, Map<String, double[]> parameters) {}

  private static final Map<Object, Outcome> OF_ONE_RANK = new HashMap<>();

  static Stream<Arguments> splits() {
    List<Arguments> all = new ArrayList<>();
    for (Arithmetic a : List.of(DOUBLE, SINGLE)) {
      for (int ranks = 1; ranks <= 8; ranks *= 2) {
        for (int groups = 1; groups <= ranks; groups *= 2) all.add(Arguments.of(a, ranks, groups));
      }
    }
    return all.stream();
  }

  /** Eight blocks of eight samples a step. */
  @ParameterizedTest
  @MethodSource("splits")
  void everySplitGivesTheParametersOfOneRank(Arithmetic a, int ranks, int groups) {
    assertAsOneRank(a, blocks(8, 8, 8, 8, 8, 8, 8, 8), Compression.NONE, new BlockSplit(ranks, groups, Balance.SAMPLES),
        WHOLE);
  }

  /** Blocks of other sizes than the ranks divide, one so small that a rank has nothing of it. */
  @ParameterizedTest
  @CsvSource({"2, 1, SAMPLES", "4, 1, SAMPLES", "4, 2, SAMPLES", "4, 1, TOKENS", "4, 2, TOKENS", "8, 2, TOKENS",
      "3, 1, TOKENS"})
  void blocksOfAnySize(int ranks, int groups, Balance balance) {
    for (Arithmetic a : List.of(DOUBLE, SINGLE)) {
      assertAsOneRank(a, blocks(2, 7, 3, 9), Compression.NONE, new BlockSplit(ranks, groups, balance), WHOLE);
    }
  }

  /** Budgets that cut the blocks of a group of ranks; the groups have different numbers of micro-batches. */
  @ParameterizedTest
  @CsvSource({"2, 1, SAMPLES, 40", "4, 2, SAMPLES, 48", "4, 2, TOKENS, 36", "8, 1, SAMPLES, 12"})
  void microBatches(int ranks, int groups, Balance balance, int budget) {
    for (Arithmetic a : List.of(DOUBLE, SINGLE)) {
      assertAsOneRank(a, blocks(2, 2, 8, 8), Compression.NONE, new BlockSplit(ranks, groups, balance), budget);
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 1, SAMPLES", "4, 2, SAMPLES", "8, 2, TOKENS", "4, 4, SAMPLES"})
  void compressionChoosesTheSame(int ranks, int groups, Balance balance) {
    for (Arithmetic a : List.of(DOUBLE, SINGLE)) {
      for (Compression c : List.of(IN_GRAPH, TWO_PASS)) {
        assertAsOneRank(a, blocks(8, 8, 8, 3), c, new BlockSplit(ranks, groups, balance), WHOLE);
      }
    }
  }

  /** A word whose embedding is NaN stands in one sample, which one rank has: that rank's failure is what comes out. */
  @Test void aRankThatFailsEndsTheStepOfAll() {
    int word = TinyData.VOCABULARY - 1;
    List<EncodedGroup> good = new ArrayList<>();
    for (EncodedGroup block : blocks(8, 8)) {
      good.add(EncodedGroup.of(block.pairs().stream().map(p -> new EncodedPair(
          Arrays.stream(p.ids()).map(id -> id % word).toArray(), p.firstSegment())).toList()));
    }
    List<EncodedPair> pairs = new ArrayList<>(good.get(1).pairs());
    pairs.set(5, new EncodedPair(new int[] {1, word, 2}, 1));
    List<EncodedGroup> bad = List.of(good.get(0), EncodedGroup.of(pairs));
    Bert bert = new Bert(TinyData.model(0.1));
    try (Backend backend = KernelSets.open("vector");
        Weights weights = new Weights(backend, DType.F32, bert.parameters());
        TrainingStep step = new TrainingStep(new Model(bert, weights, null, backend), new Optimizer.Lamb(), 1,
            new StepSettings(5, WHOLE).with(new BlockSplit(4, 2, Balance.SAMPLES)), rank -> device("vector"))) {
      weights.initialize(1, 0.2);
      Parameter words = weights.parameters().getFirst();
      assertEquals("bert.embeddings.word_embeddings.weight", words.name());
      weights.span(words).segment().setAtIndex(ValueLayout.JAVA_FLOAT, words.shape().size() - 1, Float.NaN);
      step.checkNan(true);
      NotFiniteException e = assertThrows(NotFiniteException.class, () -> step.run(bad, 0, 0));
      assertTrue(e.getMessage().contains("EmbeddingLayerNorm at embeddings"), e.getMessage());
      step.checkNan(false);
      assertTrue(Double.isNaN(step.run(bad, 0, 0).loss()));
      double loss = step.run(good, 0, 0).loss();
      assertTrue(loss > 0, "the ranks go on after a failure: " + loss);
    }
  }

  /** Rank 2 is refused its gradients, then a workspace: the caller gets that very error, and nothing is left open. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aRankWithoutMemoryEndsTheStepOfAll(int refused) {
    Bert bert = new Bert(TinyData.model(0.1));
    CountingBackend[] devices = new CountingBackend[4];
    IntFunction<Backend> open = rank -> {
      devices[rank] = new CountingBackend(device("vector"));
      if (rank == 2) devices[rank].refuse(refused);
      return devices[rank];
    };
    long threads = threads();
    try (CountingBackend backend = new CountingBackend(KernelSets.open("vector"));
        Weights weights = new Weights(backend, DType.F32, bert.parameters())) {
      weights.initialize(1, 0.2);
      OutOfDeviceMemory e = assertThrows(OutOfDeviceMemory.class, () -> {
        try (TrainingStep step = new TrainingStep(new Model(bert, weights, null, backend), new Optimizer.Lamb(), 1,
            new StepSettings(5, WHOLE).with(new BlockSplit(4, 1, Balance.SAMPLES)), open)) {
          assertEquals(2, refused, "a rank without gradients is no rank");
          step.run(blocks(8, 8), 0, 1e-3);
        }
      });
      assertEquals(refused == 1 ? "refused: gradients of rank 2" : "refused: workspace", e.getMessage());
      assertEquals(1, backend.live(), "the weights alone");
      for (CountingBackend device : devices) assertEquals(0, device.live(), "slabs of a rank");
    }
    assertEquals(threads, threads());
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("dyr-")).count();
  }

  @Test void blocksThatTheGroupsCannotShareAreRefused() {
    Bert bert = new Bert(TinyData.model(0.1));
    try (Backend backend = KernelSets.open("vector");
        Weights weights = new Weights(backend, DType.F32, bert.parameters());
        TrainingStep step = new TrainingStep(new Model(bert, weights, null, backend), new Optimizer.Lamb(), 1,
            new StepSettings(5, WHOLE).with(new BlockSplit(2, 2, Balance.SAMPLES)), rank -> device("vector"))) {
      String message = assertThrows(IllegalArgumentException.class, () -> step.run(blocks(2, 2, 2), 0, 0)).getMessage();
      assertEquals("a step of 3 blocks cannot be shared by 2 groups of ranks", message);
    }
  }

  /** The same groups in the same order, whole run and evaluations through. */
  @Test void aRunOnRanksIsThatOfOne(@TempDir Path folder) throws IOException {
    TinyData data = TinyData.write(folder);
    Map<String, String> common = Map.of("group_size", "4", "dropout", "0.1", "optimizer.name", "momentum");
    Path one = folder.resolve("one"), four = folder.resolve("four");
    Runs.train(data.config(one, with(common, "batch_groups", "2")));
    Runs.train(data.config(four, with(common, "batch_groups", "1", "group_num", "2", "ranks", "4")));
    List<double[]> expected = numbers(one), actual = numbers(four);
    assertEquals(8, expected.size());
    for (int i = 0; i < 8; i++) assertArrayEquals(expected.get(i), actual.get(i), 1e-5, "step " + (i + 1));
    assertEquals(Files.readString(one.resolve("evaluations.jsonl")),
        Files.readString(four.resolve("evaluations.jsonl")));
  }

  private static Map<String, String> with(Map<String, String> settings, String... more) {
    Map<String, String> all = new HashMap<>(settings);
    for (int i = 0; i < more.length; i += 2) all.put(more[i], more[i + 1]);
    return all;
  }

  /** The numbers of each line of a run's metrics. */
  private static List<double[]> numbers(Path out) throws IOException {
    return Runs.metrics(out).stream().map(line -> Arrays.stream(line.split(" "))
        .filter(word -> word.matches("[-0-9].*")).mapToDouble(Double::parseDouble).toArray()).toList();
  }

  private static Backend device(String set) {
    return Devices.open("cpu", new DeviceOptions(1, set));
  }

  private static List<EncodedGroup> blocks(int... sizes) {
    List<EncodedGroup> blocks = new ArrayList<>();
    for (int size : sizes) blocks.add(TinyBatches.encodedGroups(100 + blocks.size(), 1, size, 10).getFirst());
    return blocks;
  }

  private static void assertAsOneRank(Arithmetic a, List<EncodedGroup> blocks, Compression compression,
      BlockSplit split, int budget) {
    List<Integer> sizes = blocks.stream().map(g -> g.pairs().size()).toList();
    Outcome one = OF_ONE_RANK.computeIfAbsent(List.of(a, sizes, compression),
        key -> train(a, blocks, compression, BlockSplit.NONE, WHOLE));
    Outcome many = train(a, blocks, compression, split, budget);
    assertTrue(one.losses.getFirst() - one.losses.getLast() > 1e-3, "the model learns: " + one.losses);
    for (int i = 0; i < STEPS; i++) {
      assertEquals(one.losses.get(i), many.losses.get(i), a.tolerance * one.losses.get(i), "loss of step " + i);
      assertEquals(one.norms.get(i), many.norms.get(i), 10 * a.tolerance * one.norms.get(i), "norm of step " + i);
    }
    one.parameters.forEach((name, expected) -> {
      double[] actual = many.parameters.get(name);
      double error = 0, norm = 0;
      for (int i = 0; i < expected.length; i++) {
        error += Math.pow(actual[i] - expected[i], 2);
        norm += expected[i] * expected[i];
      }
      // A key's bias and the classifier's begin at zero, and their gradient is rounding: no norm to hold them against.
      double allowed = a.tolerance * Math.max(Math.sqrt(norm), 0.1);
      assertTrue(Math.sqrt(error) <= allowed, "%s is off by %s of %s in %s".formatted(name, Math.sqrt(error),
          Math.sqrt(norm), a.set));
    });
  }

  private static Outcome train(Arithmetic a, List<EncodedGroup> blocks, Compression compression, BlockSplit split,
      int budget) {
    BertConfig config = TinyData.model(0.1);
    try (Backend backend = KernelSets.open(a.set)) {
      Bert bert = new Bert(config);
      try (Weights weights = new Weights(backend, a.type, bert.parameters())) {
        weights.initialize(1, config.initializerRange());
        Model model = new Model(bert, weights, null, backend);
        List<Double> losses = new ArrayList<>(), norms = new ArrayList<>();
        try (TrainingStep step = new TrainingStep(model, a.optimizer(), 1,
            new StepSettings(5, budget).with(compression).with(split), rank -> device(a.set))) {
          for (int i = 0; i < STEPS; i++) {
            TrainingStep.Result r = step.run(blocks, i, 1e-2);
            assertTrue(r.applied());
            assertEquals(blocks.stream().mapToInt(g -> g.pairs().size()).sum(), r.sequences());
            losses.add(r.loss());
            norms.add(r.gradientNorm());
          }
        }
        Map<String, double[]> parameters = new HashMap<>();
        for (Parameter p : weights.parameters()) parameters.put(p.name(), values(weights, p));
        return new Outcome(losses, norms, parameters);
      }
    }
  }

  private static double[] values(Weights weights, Parameter p) {
    MemorySegment s = weights.span(p).segment();
    double[] x = new double[Math.toIntExact(p.shape().size())];
    for (int i = 0; i < x.length; i++) {
      x[i] = weights.type() == DType.F64 ? s.getAtIndex(ValueLayout.JAVA_DOUBLE, i)
          : s.getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }
    return x;
  }
}
