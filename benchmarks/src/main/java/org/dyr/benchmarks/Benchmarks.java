package org.dyr.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.Peak;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs benchmarks and prints a Markdown table.
 *
 * <pre>Benchmarks [--quick] [--out FILE] [--only REGEX] [--param NAME=VALUE,VALUE]...
 * Benchmarks --interleaved [--quick] [--out FILE] [--only SHAPE-REGEX]
 * Benchmarks --attention [--quick] [--out FILE]</pre>
 *
 * <p>{@code --quick}: one fork, one warm-up iteration and three measured ones of half a second. Without it: three forks
 * of five.
 */
public final class Benchmarks {
  private static final Map<String, Function<Map<String, String>, Work>> WORK = new LinkedHashMap<>();

  static {
    WORK.put("MatMulBenchmark", MatMulBenchmark::work);
    WORK.put("RowBenchmark", RowBenchmark::work);
    WORK.put("AttentionBenchmark", AttentionBenchmark::work);
    WORK.put("UpdateBenchmark", UpdateBenchmark::work);
    WORK.put("FusionBenchmark", FusionBenchmark::work);
    WORK.put("ScoringFusionBenchmark", ScoringFusionBenchmark::work);
    WORK.put("StepBenchmark", StepBenchmark::work);
    WORK.put("CompressionBenchmark", CompressionBenchmark::work);
  }

  private Benchmarks() {}

  /** The entry point. */
  public static void main(String[] args) throws RunnerException, IOException {
    boolean quick = false;
    boolean interleaved = false;
    boolean attention = false;
    Path out = null;
    String only = ".*";
    ChainedOptionsBuilder options = new OptionsBuilder();
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--quick" -> quick = true;
        case "--interleaved" -> interleaved = true;
        case "--attention" -> attention = true;
        case "--out" -> out = Path.of(args[++i]);
        case "--only" -> only = args[++i];
        case "--param" -> {
          String[] p = args[++i].split("=", 2);
          options = options.param(p[0], p[1].split(","));
        }
        default -> throw new IllegalArgumentException("unknown option " + args[i]);
      }
    }
    if (interleaved) {
      print(Interleaved.table(quick ? 21 : 101, only), out);
      return;
    }
    if (attention) {
      double peak = IntStream.range(0, 5).mapToDouble(_ -> peak(1).fp32()).max().orElseThrow();
      print(AttentionTable.table(quick ? 40 : 200, peak), out);
      return;
    }
    Map<Integer, Peak> peaks = new TreeMap<>(Map.of(1, peak(1), 2, peak(2)));
    options = options.include("org\\.dyr\\.benchmarks\\.(" + only + ")\\.").forks(quick ? 1 : 3).warmupIterations(quick ? 2 : 5)
        .measurementIterations(quick ? 3 : 5).warmupTime(TimeValue.seconds(1))
        .measurementTime(TimeValue.milliseconds(quick ? 500 : 2000)).timeout(TimeValue.minutes(10));
    print(table(new Runner(options.build()).run(), peaks), out);
  }

  private static void print(String table, Path out) throws IOException {
    System.out.println(table);
    if (out != null) Files.writeString(out, table);
  }

  private static Peak peak(int threads) {
    try (Backend backend = Devices.open("cpu", new DeviceOptions(threads, "vector"))) {
      return backend.measurePeak();
    }
  }

  /** Measures the peak of every number of threads that has none yet. */
  private static String table(Collection<RunResult> results, Map<Integer, Peak> peaks) {
    for (RunResult r : results) peaks.computeIfAbsent(threads(r), Benchmarks::peak);
    List<String> lines = new ArrayList<>();
    peaks.forEach((threads, p) -> lines.add(String.format(Locale.ROOT,
        "Peak with %d threads: %.0f GFLOP/s fp32 multiply-add from registers, %.0f bf16, %.1f GB/s copied.", threads,
        p.fp32() / 1e9, p.bf16() / 1e9, p.bytes() / 1e9)));
    lines.add("");
    lines.add("| benchmark | parameters | ms | rate | share of peak |");
    lines.add("|---|---|---:|---:|---:|");
    for (RunResult r : results) lines.add(line(r, peaks));
    return String.join("\n", lines) + "\n";
  }

  /** 2 for a benchmark that does not say. */
  private static int threads(RunResult r) {
    String threads = r.getParams().getParam("threads");
    return threads == null ? 2 : Integer.parseInt(threads);
  }

  private static String line(RunResult r, Map<Integer, Peak> peaks) {
    Map<String, String> params = new LinkedHashMap<>();
    for (String key : r.getParams().getParamsKeys()) params.put(key, r.getParams().getParam(key));
    String[] name = r.getParams().getBenchmark().split("\\.");
    String type = name[name.length - 2];
    Work w = WORK.get(type).apply(params);
    double millis = r.getPrimaryResult().getScore();
    Peak peak = peaks.get(threads(r));
    boolean compute = w.flops() > 0;
    double rate = (compute ? w.flops() : w.bytes()) / millis * 1e3;
    String perItem = w.items() == 0 ? "" : String.format(Locale.ROOT, ", %.2f ns each", millis * 1e6 / w.items());
    return String.format(Locale.ROOT, "| %s | %s | %.3f | %.1f %s%s | %.0f%% |", type.replace("Benchmark", ""),
        String.join(", ", params.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).toList()), millis, rate / 1e9,
        compute ? "GFLOP/s" : "GB/s", perItem, 100 * rate / (compute ? peak.fp32() : peak.bytes()));
  }
}
