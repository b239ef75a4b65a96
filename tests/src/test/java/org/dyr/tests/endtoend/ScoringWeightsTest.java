package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.stream.Stream;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.op.Activation;
import org.dyr.op.Panels;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.CheckpointFile;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Models loaded for scoring alone, the encoder's matrices rounded once, beside those that round in each batch. */
class ScoringWeightsTest {
  private static final int LENGTH = 40;

  @TempDir Path folder;

  /** Hidden sizes: weights of one divide into panels of every instruction set, those of the other into none. */
  private static final int WHOLE = 128;
  private static final int ODD = 88;

  private Path write(boolean relativePositions) {
    return write(relativePositions, ODD);
  }

  /** A model's directory. */
  private Path write(boolean relativePositions, int hidden) {
    int intermediate = 2 * hidden + hidden % 32;
    BertConfig config = new BertConfig(50, hidden, 3, 4, intermediate, Activation.Kind.GELU, LENGTH, 2, 1e-12, 0, 0, 0,
        0.2).withRelativePositions(relativePositions);
    try (Backend backend = KernelSets.open("reference")) {
      Bert bert = new Bert(config);
      try (Weights weights = new Weights(backend, DType.F32, bert.parameters())) {
        weights.initialize(1, config.initializerRange());
        ModelDirectory.save(new Model(bert, weights, null, backend), folder.resolve("model"));
      }
    }
    return folder.resolve("model");
  }

  private static List<EncodedPair> pairs() {
    Random random = new Random(1);
    List<EncodedPair> pairs = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      pairs.add(new EncodedPair(random.ints(LENGTH - 5 * i, 0, 50).toArray(), 1 + random.nextInt(8)));
    }
    return pairs;
  }

  private static float[] scores(Model model) {
    try (Scorer scorer = new Scorer(model, Set.of())) {
      return scorer.score(pairs());
    }
  }

  /** Every kernel set with each of its instruction sets, each type, absolute and relative positions, both sizes. */
  static Stream<Arguments> ways() {
    return ServiceLoader.load(CpuKernelSetProvider.class).stream().map(ServiceLoader.Provider::get)
        .filter(p -> p.unavailableOnceTried().isEmpty())
        .flatMap(p -> (p.cpuFeatures().isEmpty() ? List.of(DeviceOptions.AUTO) : p.cpuFeatures()).stream()
            .map(features -> new DeviceOptions(2, p.name(), features)))
        .flatMap(options -> Stream.of(DType.F32, DType.BF16, DType.F16)
            .flatMap(type -> Stream.of(false, true).flatMap(relative -> Stream.of(ODD, WHOLE)
                .map(hidden -> Arguments.of(options, type, relative, hidden)))));
  }

  @ParameterizedTest
  @MethodSource("ways")
  void scoresAreThoseOfRoundingAndPackingInEveryBatch(DeviceOptions options, DType compute, boolean relativePositions,
      int hidden) {
    ModelSource source = ModelSource.of(write(relativePositions, hidden));
    try (Backend backend = Devices.open("cpu", options);
        Model kept = source.load(backend); Model rounded = source.loadForScoring(backend, compute)) {
      assertArrayEquals(scores(kept.in(compute)), scores(rounded));
      assertEquals(compute != DType.F32, rounded.weights().bytes() < 0.6 * kept.weights().bytes());
      boolean pairs = compute == DType.BF16 && options.cpuFeatures().equals("avx512bf16");
      int factors = 3 * 6 + 1, head = 1; // of the layers, and the pooler; the classifier has one row
      int inPanels = hidden == ODD || !options.kernels().equals("native") ? 0
          : compute == DType.F32 || pairs ? factors : head;
      assertEquals(inPanels, rounded.weights().parameters().stream()
          .filter(p -> Panels.of(rounded.weights().spec(p).shape()).isPresent()).count());
    }
  }

  /** What has 16 bits in the file has them in memory. */
  @Test void aFileInTheComputeTypeGivesTheSame() {
    Path directory = write(true);
    ModelFiles.toBf16(directory);
    ModelSource source = ModelSource.of(directory);
    try (Backend backend = KernelSets.open("auto");
        Model kept = source.load(backend); Model rounded = source.loadForScoring(backend, DType.BF16)) {
      assertArrayEquals(scores(kept.in(DType.BF16)), scores(rounded));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16"})
  void aMindSporeCheckpointGivesTheSame(DType compute) {
    Path directory = write(false), file = folder.resolve("model.ckpt");
    try (Backend backend = KernelSets.open("auto"); Model kept = ModelSource.of(directory).load(backend)) {
      CheckpointFile.write(file, kept);
      ModelSource source =
          new ModelSource(file, Optional.of(directory.resolve("config.json")), Optional.empty(), 0);
      try (Model rounded = source.loadForScoring(backend, compute)) {
        assertArrayEquals(scores(kept.in(compute)), scores(rounded));
      }
    }
  }

  /** What fp16 cannot hold is infinite, and told as such. */
  @Test void aMatrixBeyondTheRangeOfFp16IsTold() {
    Path directory = write(false);
    ModelFiles.rewrite(directory, (name, t) -> {
      if (name.endsWith("layer.1.output.dense.weight")) {
        for (long i = 0; i < t.shape().size(); i++) DType.F32.set(t.data(), i, 1e5);
      }
      return List.of(t);
    });
    try (Backend backend = KernelSets.open("auto");
        Model model = ModelSource.of(directory).loadForScoring(backend, DType.F16)) {
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> scores(model));
      assertTrue(e.getMessage().contains("at encoder.1.feed_forward.dense,"), e.getMessage());
    }
  }

  @Test void theyAreNotTrainedOrWritten() {
    try (Backend backend = KernelSets.open("auto");
        Model model = ModelSource.of(write(false)).loadForScoring(backend, DType.BF16)) {
      String expected = "weights loaded for scoring alone are not trained or written";
      Path other = folder.resolve("other");
      assertEquals(expected,
          assertThrows(IllegalArgumentException.class, () -> ModelDirectory.save(model, other)).getMessage());
      assertEquals(expected, assertThrows(IllegalArgumentException.class,
          () -> CheckpointFile.write(folder.resolve("other.ckpt"), model)).getMessage());
      assertFalse(Files.exists(other) || Files.exists(folder.resolve("other.ckpt")));
      assertEquals(expected, assertThrows(IllegalArgumentException.class,
          () -> new TrainingStep(model, new Optimizer.Lamb(), 1, new StepSettings(1, LENGTH))).getMessage());
    }
  }
}
