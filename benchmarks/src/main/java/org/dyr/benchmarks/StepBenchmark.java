package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.Balance;
import org.dyr.ranker.train.BlockSplit;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A whole training step of 8 sequences (one group; dropout 0.1, clip, Lamb), which ranks may share, and inference of
 * 32, at fixed lengths, on BERT-base and on 6 layers of 384.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class StepBenchmark {
  private static final int TRAINED = 8;
  private static final int SCORED = 32;

  @Param({"vector", "openblas"}) String kernels;
  @Param({"2"}) int threads;
  @Param({"base", "minilm"}) String model;
  @Param({"128", "512"}) int length;
  @Param({"train", "infer"}) String mode;
  @Param({"1"}) int ranks;

  private Bench bench;
  private Model loaded;
  private TrainingStep step;
  private Scorer scorer;
  private List<EncodedPair> pairs;
  private long steps;

  static BertConfig config(String model) {
    return model.equals("base") ? BertConfig.base() : BertConfig.base().sized(384, 6, 12);
  }

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    Bert bert = new Bert(config(model));
    Weights weights = new Weights(bench.backend(), DType.F32, bert.parameters());
    weights.initialize(1, bert.config().initializerRange());
    loaded = new Model(bert, weights, null, bench.backend());
    if (mode.equals("train")) {
      step = new TrainingStep(loaded, new Optimizer.Lamb(), 1,
          new StepSettings(1, TRAINED * length).with(new BlockSplit(ranks, 1, Balance.SAMPLES)),
          rank -> Devices.open("cpu", new DeviceOptions(Math.max(1, threads / ranks), kernels)));
    } else {
      scorer = new Scorer(loaded, Set.of());
    }
    pairs = pairs(mode.equals("train") ? TRAINED : SCORED, length, bert.config().vocabSize());
  }

  private static List<EncodedPair> pairs(int count, int length, int vocabulary) {
    Random random = new Random(1);
    List<EncodedPair> pairs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      pairs.add(new EncodedPair(random.ints(length, 0, vocabulary).toArray(), length / 4));
    }
    return pairs;
  }

  /**
   * Products and attention: 24 C^2 + 4 L C a token and layer, three times in training (C the model's width, F = 4 C).
   */
  static Work work(Map<String, String> p) {
    BertConfig c = config(p.get("model"));
    boolean train = p.get("mode").equals("train");
    double length = Integer.parseInt(p.get("length")), width = c.hiddenSize();
    double tokens = (train ? TRAINED : SCORED) * length;
    return Work.flops((train ? 3 : 1) * tokens * c.layers() * (24 * width * width + 4 * length * width));
  }

  @Benchmark public Object run() {
    return step == null ? scorer.score(pairs) : step.run(List.of(EncodedGroup.of(pairs)), steps++, 1e-6);
  }

  @TearDown(Level.Trial) public void tearDown() {
    if (step != null) step.close();
    if (scorer != null) scorer.close();
    loaded.weights().close();
    bench.close();
  }
}
