package org.dyr.graph;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.dyr.device.Peak;

/** Where the time of a program goes: nanoseconds, bytes and FLOPs by op and by module, summed over runs. */
public final class Profile {
  private static final Pattern LAYER = Pattern.compile("\\.\\d+(?=\\.|$)");

  /** Shares of a bound below this are marked in the table. */
  public static final double LEAST = 0.6;

  private static final class Line {
    long calls;
    long nanos;
    long bytes;
    long flops;
  }

  private final Map<String, Line> byOp = new LinkedHashMap<>();
  private final Map<String, Line> byModule = new LinkedHashMap<>();
  private long steps;
  private long nanos;
  private long matrixNanos;
  private long matrixFlops;

  void add(Node node, String set, long time) {
    String shape = node.op().name().startsWith("Gemm") || node.op().name().startsWith("MatMul")
        ? " " + node.out().get(0).shape() + " k=" + inner(node) : "";
    add(byOp, node.op().name() + shape + " [" + set + "]", node, time);
    add(byModule, LAYER.matcher(node.path()).replaceAll(".*"), node, time);
    nanos += time;
    if (!shape.isEmpty()) {
      matrixNanos += time;
      matrixFlops += node.flops();
    }
  }

  private static long inner(Node node) {
    return node.flops() / Math.max(1, 2 * node.out().get(0).shape().size());
  }

  private static void add(Map<String, Line> lines, String key, Node node, long time) {
    Line l = lines.computeIfAbsent(key, k -> new Line());
    l.calls++;
    l.nanos += time;
    l.bytes += node.bytes();
    l.flops += node.flops();
  }

  /** Counts a step: what the table divides by. */
  public void endStep() {
    steps++;
  }

  /** All the time measured, in nanoseconds. */
  public long nanos() {
    return nanos;
  }

  /** The share of the time that matrix products take, attention's not counted. */
  public double matrixShare() {
    return (double) matrixNanos / nanos;
  }

  /** The rate of those matrix products, in FLOP/s. */
  public double matrixRate() {
    return matrixFlops * 1e9 / matrixNanos;
  }

  /**
   * Two tables, by op and by module, the slowest first, of one step on average: calls, milliseconds, share of the time,
   * GFLOP/s, GB/s, and the share of the machine's peak that the tighter of the two bounds reaches; below {@link #LEAST}
   * it is marked.
   */
  public String print(Peak peak) {
    return table("op", byOp, peak) + "\n" + table("module", byModule, peak)
        + String.format(Locale.ROOT, "%nmatrix products: %.1f%% of %.1f ms, %.0f GFLOP/s (peak measured %.0f GFLOP/s, %.1f GB/s)%n",
            100 * matrixShare(), nanos / 1e6 / steps(), matrixRate() / 1e9, peak.flops() / 1e9, peak.bytes() / 1e9);
  }

  private long steps() {
    return Math.max(1, steps);
  }

  private String table(String title, Map<String, Line> lines, Peak peak) {
    StringBuilder s = new StringBuilder(String.format(Locale.ROOT, "%-62s %7s %10s %7s %9s %8s %6s%n", title, "calls", "ms",
        "time", "GFLOP/s", "GB/s", "peak"));
    Function<Line, Double> share = l -> Math.max(l.flops * 1e9 / l.nanos / peak.flops(), l.bytes * 1e9 / l.nanos / peak.bytes());
    lines.entrySet().stream().sorted(Comparator.comparingLong(e -> -e.getValue().nanos)).forEach(e -> {
      Line l = e.getValue();
      s.append(String.format(Locale.ROOT, "%-62s %7.0f %10.2f %6.1f%% %9.1f %8.1f %5.0f%%%s%n", e.getKey(),
          (double) l.calls / steps(), l.nanos / 1e6 / steps(), 100.0 * l.nanos / nanos, (double) l.flops / l.nanos,
          (double) l.bytes / l.nanos, 100 * share.apply(l), share.apply(l) < LEAST ? " <" : ""));
    });
    return s.toString();
  }
}
