package org.dyr.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.device.Slab;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.optim.UpdateTerms;
import org.dyr.optim.Updater;
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
 * Global norm, clip and update of all of BERT-base's parameters: each state is read and written, its bound is
 * bandwidth.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class UpdateBenchmark {
  private static final BertConfig MODEL = BertConfig.base();

  @Param({"vector", "native"}) String kernels;
  @Param({"1", "2"}) int threads;
  @Param({"lamb", "adam_weight_decay", "momentum"}) String optimizer;

  private Bench bench;
  private Weights weights;
  private Slab gradients;
  private Updater updater;
  private long step;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    weights = new Weights(bench.backend(), DType.F32, new Bert(MODEL).parameters());
    weights.initialize(1, MODEL.initializerRange());
    gradients = bench.backend().allocate(weights.bytes(), "gradients");
    gradients.host().copyFrom(weights.slab().host());
    Optimizer o = switch (optimizer) {
      case "lamb" -> new Optimizer.Lamb();
      case "adam_weight_decay" -> new Optimizer.AdamWeightDecay();
      default -> new Optimizer.Momentum();
    };
    updater = new Updater(bench.backend(), weights, gradients, o, 1);
  }

  /** Lamb and Adam read p, m, v and g and write p, m, v; Momentum has one state; the norm reads g once more. */
  static Work work(Map<String, String> p) {
    long n = new Bert(MODEL).parameters().stream().mapToLong(q -> q.shape().size()).sum();
    return new Work(0, n * 4.0 * (p.get("optimizer").equals("momentum") ? 6 : 8), n);
  }

  @Benchmark public boolean run() {
    return updater.step(new UpdateTerms(1e-6, 1, step++), null);
  }

  @TearDown(Level.Trial) public void tearDown() {
    updater.close();
    gradients.close();
    weights.close();
    bench.close();
  }
}
