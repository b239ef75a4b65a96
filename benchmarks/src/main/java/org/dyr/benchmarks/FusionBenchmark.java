package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
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
 * What rows of the fusion table are worth in a training step in fp32, of 2 layers of 384 on 16 sequences of 128 in two
 * micro-batches: with all of them, and with one switched off.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class FusionBenchmark {
  private static final int GROUP = 8;
  private static final int LENGTH = 128;

  @Param({"vector", "native"})
  String kernels;

  @Param({"none", "attention", "bias-activation", "embeddings", "dropout-add-layernorm", "matmul-activation",
      "matmul-activation-grad", "matmul-bias", "matmul-add", "matmul-accumulate", "matmul-sum-rows"})
  String off;

  private Bench bench;
  private Model model;
  private TrainingStep step;
  private List<EncodedGroup> groups;
  private long steps;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, 2);
    BertConfig config = BertConfig.base().sized(384, 2, 12);
    Bert bert = new Bert(config);
    Weights weights = new Weights(bench.backend(), DType.F32, bert.parameters());
    weights.initialize(1, config.initializerRange());
    model = new Model(bert, weights, null, bench.backend());
    step = new TrainingStep(model, new Optimizer.Lamb(), 1,
        new StepSettings(1, GROUP * LENGTH).without(off.equals("none") ? Set.of() : Set.of(off)));
    Random random = new Random(1);
    groups = new ArrayList<>();
    for (int g = 0; g < 2; g++) {
      List<EncodedPair> group = new ArrayList<>();
      for (int i = 0; i < GROUP; i++) {
        group.add(new EncodedPair(random.ints(LENGTH, 0, config.vocabSize()).toArray(), LENGTH / 4));
      }
      groups.add(EncodedGroup.of(group));
    }
  }

  static Work work(Map<String, String> p) {
    return Work.flops(3.0 * 2 * GROUP * LENGTH * 2 * (24.0 * 384 * 384 + 4.0 * LENGTH * 384));
  }

  @Benchmark public Object run() {
    return step.run(groups, steps++, 1e-6);
  }

  @TearDown(Level.Trial) public void tearDown() {
    step.close();
    model.weights().close();
    bench.close();
  }
}
