package org.dyr.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.device.Kernel;
import org.dyr.device.Span;
import org.dyr.op.Activation;
import org.dyr.op.BiasActivation;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.LayerNorm;
import org.dyr.op.Op;
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

/** Ops that pass over rows, at 8,192 tokens so that operands come from memory: their bound is bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class RowBenchmark {
  private static final int ROWS = 8192;
  private static final int COLUMNS = 768;

  @Param({"vector", "native"}) String kernels;
  @Param({"1", "2"}) int threads;
  @Param({"layer_norm", "layer_norm_grad", "gelu", "gelu_grad", "bias_gelu", "bias_gelu_grad", "dropout",
      "dropout_add_layer_norm", "dropout_add_layer_norm_grad"})
  String op;

  private Bench bench;
  private Kernel kernel;

  private static Op op(String name) {
    return switch (name) {
      case "layer_norm" -> new LayerNorm(1e-12);
      case "layer_norm_grad" -> new LayerNorm.Grad();
      case "gelu" -> new Activation(Activation.Kind.GELU);
      case "gelu_grad" -> new Activation.Grad(Activation.Kind.GELU);
      case "bias_gelu" -> new BiasActivation(Activation.Kind.GELU);
      case "bias_gelu_grad" -> new BiasActivation.Grad(Activation.Kind.GELU);
      case "dropout" -> new Dropout(0.1, 3);
      case "dropout_add_layer_norm" -> new DropoutAddLayerNorm(0.1, 3, 1e-12, false);
      case "dropout_add_layer_norm_grad" -> new DropoutAddLayerNorm.Grad(0.1, 3, false);
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static Spec[] in(String name) {
    Spec x = Spec.of(DType.F32, ROWS, COLUMNS), c = Spec.of(DType.F32, COLUMNS), r = Spec.of(DType.F32, ROWS);
    Spec random = Spec.of(DType.I32, 4), i = Spec.of(DType.I32, ROWS);
    return switch (name) {
      case "layer_norm" -> new Spec[] {x, c, c};
      case "layer_norm_grad" -> new Spec[] {x, x, c, r, r};
      case "gelu" -> new Spec[] {x};
      case "gelu_grad" -> new Spec[] {x, x};
      case "bias_gelu" -> new Spec[] {x, c};
      case "bias_gelu_grad" -> new Spec[] {x, x, c};
      case "dropout" -> new Spec[] {x, random, i, i};
      case "dropout_add_layer_norm" -> new Spec[] {x, x, c, c, random, i, i};
      case "dropout_add_layer_norm_grad" -> new Spec[] {x, x, c, r, r, random, i, i};
      default -> throw new IllegalArgumentException(name);
    };
  }

  @Setup(Level.Trial) public void setUp() {
    bench = new Bench(kernels, threads);
    Spec[] in = in(op);
    Span[] operands = new Span[in.length];
    for (int i = 0; i < in.length; i++) operands[i] = bench.operand(in[i]);
    kernel = bench.prepare(op(op), in, operands);
  }

  static Work work(Map<String, String> p) {
    Spec[] in = in(p.get("op"));
    long bytes = 0;
    for (Spec s : in) bytes += s.bytes();
    for (Spec s : op(p.get("op")).outputs(in)) bytes += s.bytes();
    return Work.bytes(bytes);
  }

  @Benchmark public void run() {
    kernel.launch();
  }

  @TearDown(Level.Trial) public void tearDown() {
    bench.close();
  }
}
