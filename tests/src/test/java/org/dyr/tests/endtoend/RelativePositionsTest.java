package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.graph.Bucket;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.op.Activation;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.ModelException;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.ranker.train.ConfigException;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Models with relative positions: scores, packing, fusion, files, training; among the sequences are longer ones than
 * the table tells apart.
 */
class RelativePositionsTest {
  private static final int LONGEST = 60;

  @TempDir Path folder;

  static List<String> sets() {
    return KernelSets.names();
  }

  private static BertConfig config(double dropout) {
    return new BertConfig(TinyData.VOCABULARY, 24, 2, 3, 32, Activation.Kind.RELU, LONGEST, 2, 1e-12, dropout, dropout,
        dropout, 0.3, true);
  }

  /** A batch of pairs, two to a group. */
  private static PackedBatch batch(List<EncodedPair> pairs) {
    int tokens = pairs.stream().mapToInt(EncodedPair::length).sum();
    PackedBatch batch = new PackedBatch(new Bucket(tokens, pairs.size(), pairs.size() / 2));
    for (int i = 0; i < pairs.size(); i++) {
      batch.add(pairs.get(i).ids(), pairs.get(i).firstSegment(), i);
      if (i % 2 == 1) batch.endGroup();
    }
    batch.random(17, 3);
    return batch;
  }

  private static void assertLogitsOfPlainLoops(String set, DType type, double tolerance) {
    Bert bert = new Bert(config(0));
    List<EncodedPair> pairs = TinyBatches.pairs(5, 12, LONGEST);
    try (Backend backend = KernelSets.open(set);
        Weights weights = new Weights(backend, type, bert.parameters());
        PackedBatch batch = batch(pairs);
        BertProgram program = new BertProgram(backend, bert, weights, batch.bucket(), false, Set.of())) {
      weights.initialize(6, 0.3);
      Map<String, double[]> numbers = new HashMap<>();
      for (Parameter p : bert.parameters()) numbers.put(p.name(), program.numbers(weights.slab(), p));
      PlainBert plain = new PlainBert(bert.config(), numbers);
      program.run(batch);
      double[] expected = pairs.stream().mapToDouble(p -> plain.logit(p.ids(), p.firstSegment())).toArray();
      assertArrayEquals(expected, program.logits(pairs.size()), tolerance, set + " " + type);
      assertNotEquals(expected[0], expected[1], 0.01);
    }
  }

  @Test void logitsAreThoseOfPlainLoopsInDouble() {
    assertLogitsOfPlainLoops("reference", DType.F64, 1e-11);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void logitsAreThoseOfPlainLoops(String set) {
    assertLogitsOfPlainLoops(set, DType.F32, 1e-5);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void fusedEqualsUnfused(String set) {
    Bert bert = new Bert(config(0.3));
    try (Backend backend = KernelSets.open(set);
        Weights weights = new Weights(backend, DType.F32, bert.parameters());
        PackedBatch batch = batch(TinyBatches.pairs(7, 12, LONGEST));
        BertProgram fused = new BertProgram(backend, bert, weights, batch.bucket(), true, Set.of());
        BertProgram unfused =
            new BertProgram(backend, bert, weights, batch.bucket(), true, Set.of("relative-attention"))) {
      weights.initialize(8, 0.3);
      fused.run(batch);
      unfused.run(batch);
      assertEquals(unfused.loss(), fused.loss(), 1e-5);
      for (Parameter p : bert.parameters()) {
        double[] expected = unfused.numbers(unfused.gradients(), p), actual = fused.numbers(fused.gradients(), p);
        double largest = 0;
        for (double x : expected) largest = Math.max(largest, Math.abs(x));
        assertArrayEquals(expected, actual, 1e-5 * Math.max(1, largest), p.name());
        if (p.name().contains("relative_positions")) assertTrue(largest > 1e-3, p.name() + " has a gradient");
      }
    }
  }

  private Model model(Backend backend) throws IOException {
    TinyData.write(folder);
    return Model.create(config(0.1), Tokenizer.load(folder.resolve("vocab.txt")), backend, 3);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void aScoreDoesNotDependOnWhatSharesTheBatchNorOnTheFilesBetween(String set) throws IOException {
    List<EncodedPair> pairs = TinyBatches.pairs(9, 16, LONGEST);
    Path directory = folder.resolve("model");
    try (Backend backend = KernelSets.open(set)) {
      float[] together;
      try (Model model = model(backend); Scorer scorer = new Scorer(model, Set.of())) {
        together = scorer.score(pairs);
        for (int i = 0; i < together.length; i++) {
          assertEquals(together[i], scorer.score(List.of(pairs.get(i)))[0], 1e-5f, "pair " + i + " alone");
        }
        ModelDirectory.save(model, directory);
      }
      assertTrue(Files.readString(directory.resolve("config.json")).contains("relative_key_value_clipped"));
      try (Model loaded = ModelDirectory.load(directory, backend); Scorer scorer = new Scorer(loaded, Set.of())) {
        assertEquals(config(0.1), loaded.bert().config());
        assertArrayEquals(together, scorer.score(pairs), 0);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void aStepLearns(String set) throws IOException {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(6, 4, 3, 40);
    try (Backend backend = KernelSets.open(set); Model model = model(backend);
        TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(1, 256))) {
      List<Double> losses = new ArrayList<>();
      for (int i = 0; i < 12; i++) losses.add(step.run(groups, i, 0.02).loss());
      assertTrue(losses.getLast() < 0.6 * losses.getFirst(), losses.toString());
    }
  }

  @Test void trainingTurnsAPretrainedModelRelativeAndTakesLongerSequences() throws IOException {
    TinyData data = TinyData.write(folder);
    Path first = folder.resolve("first"), second = folder.resolve("second");
    Runs.train(data.config(first, Map.of("max_steps", "1")));
    Map<String, String> settings = new HashMap<>(Map.of("pretrained", first.resolve("model").toString(),
        "model_config", "", "vocab", "", "max_steps", "2", "max_length", "48"));
    TrainConfig tooLong = data.config(second, settings);
    assertTrue(assertThrows(RuntimeException.class, () -> Runs.train(tooLong)).getMessage()
        .contains("longer than the model's 32 positions"));
    settings.put("use_relative_positions", "true");
    Runs.train(data.config(second, settings));
    try (Backend backend = KernelSets.open("reference");
        Model model = ModelDirectory.load(second.resolve("model"), backend)) {
      assertTrue(model.bert().config().relativePositions());
      assertEquals(48, model.bert().config().maxPositions());
      List<String> names = model.bert().parameters().stream().map(Parameter::name).toList();
      assertTrue(names.contains("bert.encoder.layer.1.attention.self.relative_positions.weight"), names.toString());
      assertFalse(names.contains("bert.embeddings.position_embeddings.weight"), names.toString());
    }
  }

  @Test void aLengthWithoutBoundIsRefused() throws IOException {
    TinyData data = TinyData.write(folder);
    Path file = folder.resolve("config.json");
    Files.writeString(file, Files.readString(file).replace("\"max_position_embeddings\": 32",
        "\"position_embedding_type\": \"relative_key_value_clipped\", \"max_position_embeddings\": 2000000000"));
    String message = assertThrows(ModelException.class, () -> ModelConfig.read(file)).getMessage();
    assertTrue(message.contains("max_position_embeddings must be at most 65536 where positions are relative"), message);
    TinyData.write(folder);
    TrainConfig config = data.config(folder.resolve("run"), Map.of("use_relative_positions", "true",
        "max_length", "70000", "token_budget", "70000"));
    assertTrue(assertThrows(ConfigException.class, () -> Runs.train(config)).getMessage()
        .contains("max_length 70000 is longer than 65536 positions"));
  }

  @Test void otherKindsOfPositionsAreRefusedByName() throws IOException {
    TinyData.write(folder);
    Path file = folder.resolve("config.json");
    String json = Files.readString(file);
    for (String type : List.of("relative_key", "relative_key_query", "rotary")) {
      Files.writeString(file, json.replace("{", "{\"position_embedding_type\": \"%s\", ".formatted(type)));
      String message = assertThrows(ModelException.class,
          () -> ModelConfig.read(file)).getMessage();
      assertTrue(message.contains("position_embedding_type '" + type + "'")
          && message.contains("'absolute' and 'relative_key_value_clipped' are"), message);
    }
  }
}
