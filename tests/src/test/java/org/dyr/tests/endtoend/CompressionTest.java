package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.train.Compression;
import org.dyr.ranker.train.Compression.Form;
import org.dyr.ranker.train.Compression.Level;
import org.dyr.ranker.train.Compression.Scorer;
import org.dyr.ranker.train.ConfigException;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Compression of negatives: the two forms agree, and what is dropped costs no workspace. */
class CompressionTest {
  /** What a run leaves behind. */
  private record Outcome(List<Double> losses, double[] weights, long workspace) {}

  static Stream<Arguments> sets() {
    return Stream.concat(Stream.of(Arguments.of("reference", DType.F64, 1e-6)),
        KernelSets.names().stream().map(set -> Arguments.of(set, DType.F32, 1e-4)));
  }

  @ParameterizedTest
  @MethodSource("sets")
  void scoringFirstAndChoosingInTheGraphGiveTheSameAfterTenSteps(String set, DType type, double tolerance) {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(3, 3, 9, 10);
    Compression twoPass = new Compression(Form.TWO_PASS, List.of(Level.model(3)));
    Compression inGraph = new Compression(Form.IN_GRAPH, List.of(Level.model(3)));
    Outcome first = train(set, type, 0, groups, twoPass), second = train(set, type, 0, groups, inGraph);
    for (int i = 0; i < first.losses.size(); i++) {
      assertEquals(second.losses.get(i), first.losses.get(i), tolerance, "step " + i);
    }
    assertArrayEquals(second.weights, first.weights, tolerance);
    Outcome all = train(set, type, 0, groups, Compression.NONE);
    assertTrue(Math.abs(all.losses.getFirst() - first.losses.getFirst()) > 0.01,
        "dropping five of eight changes the loss");
  }

  @Test void aBlockWithNoMoreNegativesThanAreKeptIsTrainedWhole() {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(4, 3, 4, 10);
    Outcome plain = train("vector", DType.F32, 0.1, groups, Compression.NONE);
    Outcome kept = train("vector", DType.F32, 0.1, groups, new Compression(Form.TWO_PASS, List.of(Level.model(3))));
    assertEquals(plain.losses, kept.losses);
    assertArrayEquals(plain.weights, kept.weights);
  }

  @Test void levelsThatKeepWhatTheLastAloneWouldKeepChangeNothing() {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(5, 2, 8, 10);
    Outcome alone = train("vector", DType.F32, 0, groups,
        new Compression(Form.TWO_PASS, List.of(new Level(Scorer.RETRIEVAL, 0, 2))));
    Outcome levels = train("vector", DType.F32, 0, groups, new Compression(Form.TWO_PASS,
        List.of(new Level(Scorer.RETRIEVAL, 0, 4), new Level(Scorer.RETRIEVAL, 0, 2))));
    assertEquals(alone.losses, levels.losses);
    Outcome model = train("vector", DType.F32, 0, groups, new Compression(Form.TWO_PASS, List.of(Level.model(2))));
    Outcome allLayers = train("vector", DType.F32, 0, groups,
        new Compression(Form.TWO_PASS, List.of(new Level(Scorer.LAYERS, 2, 2))));
    assertEquals(model.losses, allLayers.losses, "the model has two layers");
  }

  /** The loss of a step is the cross-entropy over what stays, whichever of equal negatives that is. */
  @Test void equalNegativesAreKeptInTheirOrder() {
    EncodedGroup group = TinyBatches.encodedGroups(6, 1, 2, 10).getFirst();
    List<org.dyr.ranker.text.EncodedPair> pairs = new ArrayList<>(List.of(group.pairs().get(0)));
    for (int i = 0; i < 6; i++) pairs.add(group.pairs().get(1));
    Outcome many = train("vector", DType.F32, 0.1, List.of(EncodedGroup.of(pairs)),
        new Compression(Form.TWO_PASS, List.of(Level.model(2))));
    Outcome two = train("vector", DType.F32, 0.1, List.of(EncodedGroup.of(pairs.subList(0, 3))), Compression.NONE);
    assertEquals(two.losses, many.losses);
  }

  @Test void aPoolWithoutRanksCannotBeThinnedByRetrieval(@TempDir Path folder) throws IOException {
    TrainConfig config = TinyData.write(folder).config(folder.resolve("out"),
        Map.of("version", "dyr", "compression.levels", "retrieval keep 1"));
    String message = assertThrows(ConfigException.class, () -> Runs.train(config)).getMessage();
    assertTrue(message.contains("candidates.train.tsv has none; dyr mine makes a bm25.train.tsv"), message);
  }

  @Test void ofABlockOf128TheWorkspaceIsAThirdOrLess() {
    List<EncodedGroup> groups = TinyBatches.encodedGroups(7, 1, 128, 32);
    BertConfig config = TinyData.model(0.1).sized(32, 6, 2);
    List<Level> kept = List.of(Level.model(15));
    Outcome twoPass = train("vector", DType.F32, config, groups, new Compression(Form.TWO_PASS, kept));
    Outcome inGraph = train("vector", DType.F32, config, groups, new Compression(Form.IN_GRAPH, kept));
    assertTrue(twoPass.workspace * 3 <= inGraph.workspace, twoPass.workspace + " against " + inGraph.workspace);
  }

  private static Outcome train(String set, DType type, double dropout, List<EncodedGroup> groups,
      Compression compression) {
    return train(set, type, TinyData.model(dropout), groups, compression);
  }

  private static Outcome train(String set, DType type, BertConfig config, List<EncodedGroup> groups,
      Compression compression) {
    // The gradient of a key's bias is zero but for rounding, and Lamb divides it by its own size: in fp32 it moves by
    // about the rate in a direction of chance.
    double rate = type == DType.F64 ? 1e-2 : 1e-4;
    try (Backend backend = KernelSets.open(set)) {
      Bert bert = new Bert(config);
      try (Weights weights = new Weights(backend, type, bert.parameters())) {
        weights.initialize(1, config.initializerRange());
        Model model = new Model(bert, weights, null, backend);
        List<Double> losses = new ArrayList<>();
        try (TrainingStep step =
            new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(5, 4096).with(compression))) {
          for (int i = 0; i < 10; i++) losses.add(step.run(groups, i, rate).loss());
          return new Outcome(losses, values(weights, type), step.workspaceBytes());
        }
      }
    }
  }

  private static double[] values(Weights weights, DType type) {
    MemorySegment s = weights.slab().host();
    double[] x = new double[Math.toIntExact(weights.bytes() / type.bytes())];
    for (int i = 0; i < x.length; i++) {
      x[i] = type == DType.F64 ? s.getAtIndex(ValueLayout.JAVA_DOUBLE, i) : s.getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }
    return x;
  }
}
