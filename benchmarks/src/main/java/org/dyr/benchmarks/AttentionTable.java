package org.dyr.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Attention of {@code vector} and {@code native} on one thread, in turn within one JVM: the least processor time of a
 * launch, which a machine with other work on it does not stretch as it does the time on the clock.
 */
final class AttentionTable {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static final String[] KERNELS = {"vector", "native"};

  private AttentionTable() {}

  /**
   * @param launches of each kernel, half of them before anything is timed
   * @param peak multiply-adds from registers, operations a second
   */
  static String table(int launches, double peak) {
    List<String> lines = new ArrayList<>();
    lines.add(String.format(Locale.ROOT, "Peak %.0f GFLOP/s.", peak / 1e9));
    lines.add("");
    lines.add("| 8 sequences, 12 heads | vector ms | native ms | GFLOP/s | share of peak |");
    lines.add("|---|---:|---:|---:|---:|");
    for (int size : new int[] {64, 32}) {
      for (int length : new int[] {512, 128}) {
        for (String positions : size == 64 ? new String[] {"absolute", "relative"} : new String[] {"absolute"}) {
          boolean both = size == 64 && positions.equals("absolute");
          for (double dropout : both ? new double[] {0.1, 0} : new double[] {0.1}) {
            for (String pass : new String[] {"forward", "gradient"}) {
              lines.add(line(size, length, positions, dropout, pass, launches, peak));
            }
          }
        }
      }
    }
    return String.join("\n", lines) + "\n";
  }

  private static String line(int size, int length, String positions, double dropout, String pass, int launches,
      double peak) {
    double[] least = {Double.MAX_VALUE, Double.MAX_VALUE};
    AttentionBenchmark[] both = new AttentionBenchmark[KERNELS.length];
    for (int i = 0; i < both.length; i++) {
      both[i] = new AttentionBenchmark();
      both[i].kernels = KERNELS[i];
      both[i].threads = 1;
      both[i].length = length;
      both[i].size = size;
      both[i].pass = pass;
      both[i].positions = positions;
      both[i].dropout = dropout;
      both[i].setUp();
    }
    for (int launch = 0; launch < launches; launch++) {
      for (int i = 0; i < both.length; i++) {
        long start = THREADS.getCurrentThreadCpuTime();
        both[i].run();
        double millis = (THREADS.getCurrentThreadCpuTime() - start) / 1e6;
        if (launch >= launches / 2) least[i] = Math.min(least[i], millis);
      }
    }
    for (AttentionBenchmark b : both) b.tearDown();
    double flops = AttentionBenchmark.work(Map.of("length", "" + length, "size", "" + size, "pass", pass)).flops();
    String row = "| %s, %s, D %d, length %d, dropout %s | %.1f | %.1f | %.0f : %.0f | %.0f%% : %.0f%% |";
    return String.format(Locale.ROOT, row, pass, positions, size, length, dropout, least[0], least[1],
        flops / least[0] / 1e6, flops / least[1] / 1e6,
        flops / least[0] * 1e5 / peak, flops / least[1] * 1e5 / peak);
  }
}
