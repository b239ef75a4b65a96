package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dyr.device.Peak;
import org.dyr.tensor.DType;

/**
 * Times of products as Markdown: a line each, the fastest in bold, then a line for each pass and type. Ratios are of
 * rates, ours to theirs, above 1 where ours is faster: of a product the median over rounds, of a pass the geometric
 * mean over its products.
 */
final class ProductTable {
  private static final List<String> NAMES = List.of("DYR", "peer", "peer, b packed", "OpenBLAS");
  static final int CONTESTANTS = NAMES.size();

  private final Peak peak;
  private final List<String> lines = new ArrayList<>();
  private final Map<String, List<double[]>> passes = new LinkedHashMap<>(); // by product, then contestant

  ProductTable(String peer, int threads, Peak peak) {
    this.peak = peak;
    lines.add(String.format(Locale.ROOT, "Threads: %d; the peer is %s. Multiply-add from registers: %.0f GFLOP/s fp32, "
        + "%.0f bf16.", threads, peer, peak.fp32() / 1e9, peak.bf16() / 1e9));
    lines.add("");
    lines.add("| product | " + String.join(" ms | ", NAMES) + " ms | GFLOP/s | share of peak | " + against());
    lines.add("|---|" + "---:|".repeat(2 * CONTESTANTS + 1));
  }

  static String name(int contestant) {
    return NAMES.get(contestant);
  }

  private static String against() {
    return "DYR / " + String.join(" | DYR / ", NAMES.subList(1, CONTESTANTS)) + " |";
  }

  /**
   * Adds a product.
   *
   * @param millis by contestant and round; null of one who does not play
   */
  void add(Product p, double[][] millis) {
    double[] medians = new double[CONTESTANTS], ratios = new double[CONTESTANTS];
    double best = Double.MAX_VALUE;
    for (int i = 0; i < CONTESTANTS; i++) {
      medians[i] = millis[i] == null ? Double.NaN : Interleaved.median(millis[i]);
      ratios[i] = millis[i] == null ? Double.NaN : Interleaved.ratio(millis[0], millis[i]);
      if (medians[i] < best) best = medians[i];
    }
    List<String> times = new ArrayList<>(), rates = new ArrayList<>(), shares = new ArrayList<>();
    for (double ms : medians) {
      double rate = p.flops() / ms * 1e3;
      times.add(cell(ms == best ? "**%.2f**" : "%.2f", ms));
      rates.add(cell("%.0f", rate / 1e9));
      shares.add(cell("%.0f%%", 100 * rate / peak.flops(p.bf16() ? DType.BF16 : DType.F32)));
    }
    lines.add("| %s | %s | %s | %s | %s |".formatted(p, String.join(" | ", times), String.join(" : ", rates),
        String.join(" : ", shares), ratios(ratios)));
    passes.computeIfAbsent(p.pass() + " " + p.type(), _ -> new ArrayList<>()).add(ratios);
  }

  private static String ratios(double[] byContestant) {
    List<String> cells = new ArrayList<>();
    for (int i = 1; i < CONTESTANTS; i++) cells.add(cell("%.2f", byContestant[i]));
    return String.join(" | ", cells);
  }

  private static String cell(String format, double x) {
    return Double.isNaN(x) ? "-" : String.format(Locale.ROOT, format, x);
  }

  private static double[] geometricMeans(List<double[]> ratios) {
    double[] means = new double[CONTESTANTS];
    for (double[] r : ratios) for (int i = 0; i < CONTESTANTS; i++) means[i] += Math.log(r[i]) / ratios.size();
    for (int i = 0; i < CONTESTANTS; i++) means[i] = Math.exp(means[i]);
    return means;
  }

  @Override public String toString() {
    List<String> all = new ArrayList<>(lines);
    all.add("");
    all.add("| pass | " + against());
    all.add("|---|" + "---:|".repeat(CONTESTANTS - 1));
    passes.forEach((name, r) -> all.add("| %s | %s |".formatted(name, ratios(geometricMeans(r)))));
    return String.join("\n", all) + "\n";
  }
}
