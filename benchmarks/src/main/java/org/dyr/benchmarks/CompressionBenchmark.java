package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.Compression;
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
 * A training step over one block of 128 sequences of 64, of whose negatives 15 stay, on 4 layers of 256: scored first,
 * or chosen inside one training forward over all. Prints the workspace that each takes.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class CompressionBenchmark {
  private static final int BLOCK = 128;
  private static final int LENGTH = 64;
  private static final int KEPT = 15;

  @Param({"two_pass", "in_graph"}) String form;
  @Param({"vector"}) String kernels;
  @Param({"2"}) int threads;

  private Bench bench;
  private Model model;
  private TrainingStep step;
  private List<EncodedGroup> groups;
  private long steps;

  private static BertConfig config() {
    return BertConfig.base().sized(256, 4, 4);
  }

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    Bert bert = new Bert(config());
    Weights weights = new Weights(bench.backend(), DType.F32, bert.parameters());
    weights.initialize(1, config().initializerRange());
    model = new Model(bert, weights, null, bench.backend());
    Compression.Form f = form.equals("in_graph") ? Compression.Form.IN_GRAPH : Compression.Form.TWO_PASS;
    step = new TrainingStep(model, new Optimizer.Lamb(), 1,
        new StepSettings(1, BLOCK * LENGTH).with(new Compression(f, List.of(Compression.Level.model(KEPT)))));
    Random random = new Random(1);
    List<EncodedPair> pairs = new ArrayList<>();
    for (int i = 0; i < BLOCK; i++) {
      pairs.add(new EncodedPair(random.ints(LENGTH, 0, config().vocabSize()).toArray(), LENGTH / 4));
    }
    groups = List.of(EncodedGroup.of(pairs));
  }

  /** What in_graph computes, three forwards' worth of every sequence, so that the rates compare as the times do. */
  static Work work(Map<String, String> p) {
    double tokens = (double) BLOCK * LENGTH, width = config().hiddenSize();
    return Work.flops(3 * tokens * config().layers() * (24 * width * width + 4 * LENGTH * width));
  }

  @Benchmark public Object run() {
    return step.run(groups, steps++, 1e-6);
  }

  @TearDown(Level.Trial) public void tearDown() {
    System.out.printf("workspace of %s: %,d bytes%n", form, step.workspaceBytes());
    step.close();
    model.weights().close();
    bench.close();
  }
}
