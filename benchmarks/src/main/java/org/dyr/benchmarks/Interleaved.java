package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dyr.device.Kernel;

/**
 * Matrix products of {@code vector} and {@code openblas}, taken in turn within one JVM, so that a machine whose clock
 * or neighbours change from second to second slows both alike. Prints medians and the median of the paired ratios.
 */
final class Interleaved {
  private static final double WARM_UP_SECONDS = 2;

  private Interleaved() {}

  static String table(int rounds, String only) {
    List<String> lines = new ArrayList<>();
    lines.add("| product | threads | vector ms | openblas ms | GFLOP/s | vector / openblas |");
    lines.add("|---|---:|---:|---:|---:|---:|");
    for (int threads = 1; threads <= 2; threads++) {
      try (Bench vector = new Bench("vector", threads); Bench openBlas = new Bench("openblas", threads)) {
        for (String shape : MatMulBenchmark.shapes()) {
          if (shape.matches(only)) lines.add(line(shape, threads, rounds, vector, openBlas));
        }
      }
    }
    return String.join("\n", lines) + "\n";
  }

  private static String line(String shape, int threads, int rounds, Bench vector, Bench openBlas) {
    Kernel[] kernels = {MatMulBenchmark.prepare(shape, vector), MatMulBenchmark.prepare(shape, openBlas)};
    double[][] millis = new double[2][rounds];
    double[] ratio = new double[rounds];
    for (double warm = 0; warm < WARM_UP_SECONDS * 1e3; ) warm += millis(kernels[0]) + millis(kernels[1]);
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < 2; i++) {
        int which = round + i & 1;
        millis[which][round] = millis(kernels[which]);
      }
      ratio[round] = millis[1][round] / millis[0][round];
    }
    double ours = median(millis[0]), theirs = median(millis[1]);
    return String.format(Locale.ROOT, "| %s | %d | %.2f | %.2f | %.0f : %.0f | %.2f |", shape, threads, ours, theirs,
        MatMulBenchmark.flops(shape) / ours / 1e6, MatMulBenchmark.flops(shape) / theirs / 1e6, median(ratio));
  }

  private static double millis(Kernel kernel) {
    long start = System.nanoTime();
    kernel.launch();
    return (System.nanoTime() - start) / 1e6;
  }

  private static double median(double[] x) {
    double[] sorted = x.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }
}
