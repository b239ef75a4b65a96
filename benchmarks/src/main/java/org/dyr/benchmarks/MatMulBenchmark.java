package org.dyr.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.device.Kernel;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
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
 * Matrix products of BERT-base at 1,024 tokens: NT is a layer's forward (x W^T), NN its input gradient, TN its weight
 * gradient; MxNxK. The odd one among them shows what edges cost.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class MatMulBenchmark {
  @Param({"vector", "openblas"}) String kernels;
  @Param({"1", "2"}) int threads;
  @Param({"NT 1024x768x768", "NT 1024x3072x768", "NT 1024x768x3072", "NN 1024x768x768", "NN 1024x768x3072",
      "NN 1024x3072x768", "TN 768x768x1024", "TN 3072x768x1024", "TN 768x3072x1024", "NT 1001x767x769",
      "NT 4096x768x768", "NT 4096x768x3072", "TN 768x3072x4096"})
  String shape;

  private Bench bench;
  private Kernel kernel;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    kernel = prepare(shape, bench);
  }

  /** The product over random operands. */
  static Kernel prepare(String shape, Bench bench) {
    int[] s = sizes(shape);
    boolean ta = shape.charAt(0) == 'T', tb = shape.charAt(1) == 'T';
    Spec a = ta ? Spec.of(DType.F32, s[2], s[0]) : Spec.of(DType.F32, s[0], s[2]);
    Spec b = tb ? Spec.of(DType.F32, s[1], s[2]) : Spec.of(DType.F32, s[2], s[1]);
    return bench.prepare(new MatMul(ta, tb), new Spec[] {a, b}, bench.operand(a), bench.operand(b));
  }

  private static int[] sizes(String shape) {
    String[] p = shape.substring(3).split("x");
    return new int[] {Integer.parseInt(p[0]), Integer.parseInt(p[1]), Integer.parseInt(p[2])};
  }

  /** All shapes of the parameter. */
  static String[] shapes() {
    try {
      return MatMulBenchmark.class.getDeclaredField("shape").getAnnotation(Param.class).value();
    } catch (NoSuchFieldException e) {
      throw new AssertionError(e);
    }
  }

  static double flops(String shape) {
    int[] s = sizes(shape);
    return 2.0 * s[0] * s[1] * s[2];
  }

  static Work work(Map<String, String> p) {
    return Work.flops(flops(p.get("shape")));
  }

  @Benchmark public void run() {
    kernel.launch();
  }

  @TearDown(Level.Trial) public void tearDown() {
    bench.close();
  }
}
