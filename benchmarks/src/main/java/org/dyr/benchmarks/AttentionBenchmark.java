package org.dyr.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.device.Kernel;
import org.dyr.device.Span;
import org.dyr.op.Attention;
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

/** Fused attention over 8 packed sequences, 12 heads, dropout 0.1, forward and gradient. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class AttentionBenchmark {
  private static final int SEQUENCES = 8;
  private static final int HEADS = 12;

  @Param({"1", "2"}) int threads;
  @Param({"128", "512", "77"}) int length;
  @Param({"64", "32"}) int size;
  @Param({"forward", "gradient"}) String pass;

  private Bench bench;
  private Kernel kernel;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench("vector", threads);
    int tokens = SEQUENCES * length;
    Spec x = Spec.of(DType.F32, tokens, HEADS * size), lse = Spec.of(DType.F32, HEADS, tokens);
    Attention op = new Attention(HEADS, 512, 0.1, 3);
    int[] offsets = new int[SEQUENCES + 1];
    for (int i = 0; i <= SEQUENCES; i++) offsets[i] = i * length;
    Span o = bench.integers(offsets), random = bench.integers(1, 2, 3, 0), sequence = bench.integers(0, 1, 2, 3, 4, 5, 6, 7);
    Span q = bench.operand(x), k = bench.operand(x), v = bench.operand(x);
    Spec is = Spec.of(DType.I32, SEQUENCES + 1), ir = Spec.of(DType.I32, 4), iq = Spec.of(DType.I32, SEQUENCES);
    kernel = pass.equals("forward")
        ? bench.prepare(op, new Spec[] {x, x, x, is, ir, iq}, q, k, v, o, random, sequence)
        : bench.prepare(new Attention.Grad(op), new Spec[] {x, x, x, x, x, lse, is, ir, iq}, bench.operand(x), q, k, v,
            bench.operand(x), bench.operand(lse), o, random, sequence);
  }

  static Work work(Map<String, String> p) {
    double length = Integer.parseInt(p.get("length"));
    double products = p.get("pass").equals("forward") ? 4 : 10;
    return Work.flops(products * SEQUENCES * length * length * HEADS * Integer.parseInt(p.get("size")));
  }

  @Benchmark public void run() {
    kernel.launch();
  }

  @TearDown(Level.Trial) public void tearDown() {
    bench.close();
  }
}
