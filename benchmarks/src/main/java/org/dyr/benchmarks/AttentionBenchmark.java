package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.device.Kernel;
import org.dyr.device.Span;
import org.dyr.op.Attention;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
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
 * Fused attention over 8 packed sequences, 12 heads, forward and gradient; with distances, those of up to 16 tokens
 * each way.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class AttentionBenchmark {
  private static final int SEQUENCES = 8;
  private static final int HEADS = 12;

  @Param({"vector", "native"}) String kernels;
  @Param({"1", "2"}) int threads;
  @Param({"128", "512", "77"}) int length;
  @Param({"64", "32"}) int size;
  @Param({"forward", "gradient"}) String pass;
  @Param({"absolute", "relative"}) String positions;
  @Param({"0.1", "0"}) double dropout;

  private Bench bench;
  private Kernel kernel;

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    int tokens = SEQUENCES * length;
    Spec x = Spec.of(DType.F32, tokens, HEADS * size), lse = Spec.of(DType.F32, HEADS, tokens);
    Attention op = new Attention(HEADS, 512, dropout, 3);
    int[] offsets = new int[SEQUENCES + 1];
    for (int i = 0; i <= SEQUENCES; i++) offsets[i] = i * length;
    Span o = bench.integers(offsets), random = bench.integers(1, 2, 3, 0),
        sequence = bench.integers(0, 1, 2, 3, 4, 5, 6, 7);
    Span q = bench.operand(x), k = bench.operand(x), v = bench.operand(x);
    Spec is = Spec.of(DType.I32, SEQUENCES + 1), ir = Spec.of(DType.I32, 4), iq = Spec.of(DType.I32, SEQUENCES);
    boolean forward = pass.equals("forward"), relative = positions.equals("relative");
    List<Spec> specs = new ArrayList<>(forward ? List.of(x, x, x, is, ir, iq)
        : List.of(x, x, x, x, x, lse, is, ir, iq));
    List<Span> spans = new ArrayList<>(forward ? List.of(q, k, v, o, random, sequence)
        : List.of(bench.operand(x), q, k, v, bench.operand(x), bench.operand(lse), o, random, sequence));
    if (dropout == 0) {
      specs.subList(specs.size() - 2, specs.size()).clear();
      spans.subList(spans.size() - 2, spans.size()).clear();
    }
    if (relative) {
      specs.add(Spec.of(DType.F32, 33, size));
      spans.add(bench.operand(specs.getLast()));
    }
    RelativeAttention distances = new RelativeAttention(op);
    Op timed = forward ? (relative ? distances : op)
        : relative ? new RelativeAttention.Grad(distances) : new Attention.Grad(op);
    kernel = bench.prepare(timed, specs.toArray(new Spec[0]), spans.toArray(new Span[0]));
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
