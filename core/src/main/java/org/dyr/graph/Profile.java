package org.dyr.graph;

import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.dyr.device.Peak;
import org.dyr.tensor.DType;

/** Where the time of a program goes: nanoseconds, bytes and FLOPs by op and by module, summed over runs. */
public final class Profile {
  private static final Pattern LAYER = Pattern.compile("\\.\\d+(?=\\.|$)");

  /** Shares of a bound below this are marked. */
  public static final double LEAST = 0.6;

  /** Below this share of the time an op is too small to be marked. */
  private static final double TINY = 0.001;

  /** What is added up together. The type is that of the first operand: of what is multiplied. */
  private record Key(String op, DType type, String module) {}

  private static final class Line {
    long calls;
    long nanos;
    long bytes;
    long flops;
  }

  private final Map<Key, Line> lines = new LinkedHashMap<>();
  private long steps;
  private long nanos;
  private long matrixNanos;
  private final Map<DType, Long> matrixFlops = new EnumMap<>(DType.class);

  void add(Node node, String set, long time) {
    DType type = node.in().get(0).spec().type();
    boolean matrix = node.op().name().startsWith("Gemm") || node.op().name().startsWith("MatMul");
    String shape = matrix ? " " + node.out().get(0).shape() + " k=" + inner(node) : "";
    Line l = lines.computeIfAbsent(new Key(node.op().name() + shape + " [" + set + "]", type,
        LAYER.matcher(node.path()).replaceAll(".*")), _ -> new Line());
    l.calls++;
    l.nanos += time;
    l.bytes += node.bytes();
    l.flops += node.flops();
    nanos += time;
    if (matrix) {
      matrixNanos += time;
      matrixFlops.merge(type, node.flops(), Long::sum);
    }
  }

  private static long inner(Node node) {
    return node.flops() / Math.max(1, 2 * node.out().get(0).shape().size());
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
    return matrixFlops.values().stream().mapToLong(f -> f).sum() * 1e9 / matrixNanos;
  }

  /**
   * Two tables, by op and by module, the slowest first, of one step on average: calls, milliseconds, share of the time,
   * GFLOP/s, GB/s, and the share of the bound that is reached. A bound is the longer of what the FLOPs take at the peak
   * of their type and what the bytes take at the copying rate. Below {@link #LEAST} it is marked, where the time is
   * more than a thousandth of the whole.
   */
  public String print(Peak peak) {
    double bound = 0;
    for (Map.Entry<DType, Long> e : matrixFlops.entrySet()) bound += 1e9 * e.getValue() / peak.flops(e.getKey());
    return String.format(Locale.ROOT, """
        bound: FLOPs at %.0f GFLOP/s fp32, %.0f bf16, or each operand's bytes once at %.1f GB/s, whichever takes longer;
        copying goes through memory, so that operands which a cache still holds reach more than 100%%
        """, peak.fp32() / 1e9, peak.bf16() / 1e9, peak.bytes() / 1e9)
        + table("op", k -> String.format(Locale.ROOT, "%-56s %5s", k.op, text(k.type)), peak) + "\n"
        + table("module", k -> k.module, peak)
        + String.format(Locale.ROOT,
            "%nmatrix products: %.1f%% of %.1f ms, %.0f GFLOP/s, %.0f%% of the peak of their types%n",
            100 * matrixShare(), nanos / 1e6 / steps(), matrixRate() / 1e9, 100 * bound / matrixNanos);
  }

  private static String text(DType type) {
    return type == DType.F32 ? "fp32" : type.name().toLowerCase(Locale.ROOT);
  }

  private long steps() {
    return Math.max(1, steps);
  }

  /** A row of a table: lines added up, their bounds one by one. */
  private static final class Row {
    final Line total = new Line();
    double bound; // nanoseconds

    void add(Key key, Line l, Peak peak) {
      total.calls += l.calls;
      total.nanos += l.nanos;
      total.bytes += l.bytes;
      total.flops += l.flops;
      bound += peak.nanos(key.type, l.flops, l.bytes);
    }
  }

  private String table(String title, Function<Key, String> name, Peak peak) {
    Map<String, Row> rows = new LinkedHashMap<>();
    lines.forEach((k, l) -> rows.computeIfAbsent(name.apply(k), _ -> new Row()).add(k, l, peak));
    StringBuilder s = new StringBuilder(String.format(Locale.ROOT, "%-62s %7s %10s %7s %9s %8s %6s%n", title, "calls",
        "ms", "time", "GFLOP/s", "GB/s", "bound"));
    rows.entrySet().stream().sorted(Comparator.comparingLong(e -> -e.getValue().total.nanos)).forEach(e -> {
      Line l = e.getValue().total;
      double share = e.getValue().bound / l.nanos;
      s.append(String.format(Locale.ROOT, "%-62s %7.0f %10.2f %6.1f%% %9.1f %8.1f %5.0f%%%s%n", e.getKey(),
          (double) l.calls / steps(), l.nanos / 1e6 / steps(), 100.0 * l.nanos / nanos, (double) l.flops / l.nanos,
          (double) l.bytes / l.nanos, 100 * share, share < LEAST && l.nanos > TINY * nanos ? " <" : ""));
    });
    return s.toString();
  }
}
