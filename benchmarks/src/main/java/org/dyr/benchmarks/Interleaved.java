package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dyr.device.Kernel;

/**
 * Matrix products of {@code native}, {@code vector} and {@code openblas}, taken in turn within one JVM, so that a
 * machine whose clock or neighbours change from second to second slows all alike. Prints medians and the medians of the
 * paired ratios of rates, each against OpenBLAS's.
 */
final class Interleaved {
  private static final double WARM_UP_SECONDS = 2;
  /** The last is what the others are held to. */
  private static final List<String> SETS = List.of("native", "vector", "openblas");

  private Interleaved() {}

  static String table(int rounds, String only) {
    List<String> lines = new ArrayList<>();
    lines.add("| product | threads | native ms | vector ms | openblas ms | GFLOP/s | native / openblas "
        + "| vector / openblas |");
    lines.add("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (int threads = 1; threads <= 2; threads++) {
      List<Bench> benches = new ArrayList<>();
      try {
        for (String set : SETS) benches.add(new Bench(set, threads));
        for (String shape : MatMulBenchmark.shapes()) {
          if (shape.matches(only)) lines.add(line(shape, threads, rounds, benches));
        }
      } finally {
        benches.forEach(Bench::close);
      }
    }
    return String.join("\n", lines) + "\n";
  }

  private static String line(String shape, int threads, int rounds, List<Bench> benches) {
    int n = benches.size();
    Kernel[] kernels = new Kernel[n];
    for (int i = 0; i < n; i++) kernels[i] = MatMulBenchmark.prepare(shape, benches.get(i));
    double[][] millis = new double[n][rounds];
    for (double warm = 0; warm < WARM_UP_SECONDS * 1e3; ) for (Kernel k : kernels) warm += millis(k);
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < n; i++) {
        int which = (round + i) % n;
        millis[which][round] = millis(kernels[which]);
      }
    }
    StringBuilder s = new StringBuilder(String.format(Locale.ROOT, "| %s | %d |", shape, threads));
    for (double[] ms : millis) s.append(String.format(Locale.ROOT, " %.2f |", median(ms)));
    String separator = " ";
    for (double[] ms : millis) {
      s.append(String.format(Locale.ROOT, "%s%.0f", separator, MatMulBenchmark.flops(shape) / median(ms) / 1e6));
      separator = " : ";
    }
    s.append(" |");
    for (int i = 0; i < n - 1; i++) s.append(String.format(Locale.ROOT, " %.2f |", ratio(millis[i], millis[n - 1])));
    return s.toString();
  }

  /** The median over rounds of their time to ours. */
  static double ratio(double[] ours, double[] theirs) {
    double[] ratio = new double[ours.length];
    for (int i = 0; i < ratio.length; i++) ratio[i] = theirs[i] / ours[i];
    return median(ratio);
  }

  private static double millis(Kernel kernel) {
    long start = System.nanoTime();
    kernel.launch();
    return (System.nanoTime() - start) / 1e6;
  }

  static double median(double[] x) {
    double[] sorted = x.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }
}
