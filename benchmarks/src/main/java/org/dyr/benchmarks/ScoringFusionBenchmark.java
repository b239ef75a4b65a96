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
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
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
 * The worth of fusions behind differentiation where a model only scores: 32 pairs of 128 tokens by 2 layers of 384, with
 * every fusion on, and with one switched off.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class ScoringFusionBenchmark {
  private static final int PAIRS = 32;
  private static final int LENGTH = 128;

  @Param({"none", "matmul-activation", "absorbed-attention"}) String off;
  @Param({"F32", "BF16"}) DType compute;

  private Bench bench;
  private Model model;
  private Scorer scorer;
  private List<EncodedPair> pairs;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench("native", 2);
    BertConfig config = BertConfig.base().sized(384, 2, 12);
    Bert bert = new Bert(config);
    Weights weights = Weights.forScoring(bench.backend(), compute, bert);
    weights.initialize(1, config.initializerRange());
    model = new Model(bert, weights, null, bench.backend());
    scorer = new Scorer(model, off.equals("none") ? Set.of() : Set.of(off));
    Random random = new Random(1);
    pairs = new ArrayList<>();
    for (int i = 0; i < PAIRS; i++) {
      pairs.add(new EncodedPair(random.ints(LENGTH, 0, config.vocabSize()).toArray(), LENGTH / 4));
    }
  }

  /** What two whole layers compute, so that the rates compare as the times do. */
  static Work work(Map<String, String> p) {
    return Work.flops(2.0 * PAIRS * LENGTH * (24.0 * 384 * 384 + 4.0 * LENGTH * 384));
  }

  @Benchmark public Object run() {
    return scorer.score(pairs);
  }

  @TearDown(Level.Trial) public void tearDown() {
    scorer.close();
    model.weights().close();
    bench.close();
  }
}
