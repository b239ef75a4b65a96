package org.dyr.benchmarks.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.dyr.benchmarks.peers.Job.Precision;

/** Tables of results in Markdown, and the same as JSON. Ratios are those of times, ours over theirs. */
final class Report {
  private static final String NONE = "-";

  private Report() {}

  /** A line for each contestant of a row; without times where only numbers count. */
  static String details(Row row, List<Result> results) {
    List<String> lines = new ArrayList<>();
    if (row.onlyCompares()) {
      lines.add("| " + row.name() + " | setting | differs by |");
      lines.add("|---|---|---:|");
      for (Result r : results) {
        String outcome = r.finished() ? difference(r) : r.score().failure();
        lines.add("| %s | %s | %s |".formatted(r.contestant(), r.setting(), outcome));
      }
      return String.join("\n", lines) + "\n";
    }
    lines.add("| " + row.name() + " | setting | ms | rounds | DYR fp32 / it | DYR bf16 / it | peak MiB | differs by |");
    lines.add("|---|---|---:|---:|---:|---:|---:|---:|");
    for (Result r : results) lines.add(line(r, results));
    return String.join("\n", lines) + "\n";
  }

  private static String line(Result r, List<Result> all) {
    String time = r.finished() ? millis(r) : r.score().failure();
    Optional<Result> it = Optional.of(r);
    return "| %s | %s | %s | %s | %s | %s | %s | %s |".formatted(r.contestant(), r.setting(), time,
        r.score().played(), ratio(ours(all, Precision.F32), it), ratio(ours(all, Precision.BF16), it),
        r.peakBytes() == 0 ? NONE : r.peakBytes() >> 20,
        difference(r));
  }

  private static String difference(Result r) {
    return Double.isNaN(r.difference()) ? NONE : String.format(Locale.ROOT, "%.0e", r.difference());
  }

  /** A line for each row of which the time counts, ours and the best peer in each precision; empty without such. */
  static String summary(Map<Row, List<Result>> results) {
    if (results.keySet().stream().allMatch(Row::onlyCompares)) return "";
    List<String> lines = new ArrayList<>();
    lines.add("| work | DYR fp32 ms | best peer fp32 ms | ours / it | DYR bf16 ms | best peer bf16 ms | ours / it "
        + "| best peer int8 ms |");
    lines.add("|---|---:|---:|---:|---:|---:|---:|---:|");
    results.forEach((row, all) -> {
      if (row.onlyCompares()) return;
      lines.add("| %s | %s | %s | %s |".formatted(row.name(), pair(all, Precision.F32), pair(all, Precision.BF16),
          named(best(all, Precision.INT8))));
    });
    return String.join("\n", lines) + "\n";
  }

  private static String pair(List<Result> all, Precision precision) {
    Optional<Result> own = ours(all, precision), peer = best(all, precision);
    return "%s | %s | %s".formatted(own.map(Report::millis).orElse(NONE), named(peer), ratio(own, peer));
  }

  private static String named(Optional<Result> r) {
    return r.map(x -> millis(x) + " (" + x.contestant().kind().title + ")").orElse(NONE);
  }

  private static Optional<Result> ours(List<Result> all, Precision precision) {
    return fastest(all, c -> c.ours() && c.precision() == precision);
  }

  /** The fastest peer in this precision, of those that finished. */
  static Optional<Result> best(List<Result> all, Precision precision) {
    return fastest(all, c -> !c.ours() && c.precision() == precision);
  }

  private static Optional<Result> fastest(List<Result> all, Predicate<Contestant> which) {
    return all.stream().filter(r -> which.test(r.contestant()) && r.finished())
        .min(Comparator.comparingDouble(Result::millis));
  }

  private static String ratio(Optional<Result> a, Optional<Result> b) {
    if (a.isEmpty() || b.isEmpty() || !a.get().finished() || !b.get().finished()) return NONE;
    double ratio = Rounds.ratio(a.get().score().millis(), b.get().score().millis());
    return Double.isNaN(ratio) ? NONE : String.format(Locale.ROOT, "%.2f", ratio);
  }

  private static String millis(Result r) {
    return String.format(Locale.ROOT, r.millis() < 100 ? "%.1f" : "%.0f", r.millis());
  }

  static String json(Map<Row, List<Result>> results) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ArrayNode all = mapper.createArrayNode();
    results.forEach((row, list) -> list.forEach(r -> {
      ObjectNode o = all.addObject().put("work", row.name()).put("engine", r.contestant().kind().title)
          .put("precision", r.contestant().precision().toString()).put("setting", r.setting());
      ArrayNode millis = o.putArray("millis");
      for (double m : r.score().millis()) {
        if (Double.isNaN(m)) millis.addNull();
        else millis.add(m);
      }
      if (r.peakBytes() > 0) o.put("peak_bytes", r.peakBytes());
      if (!Double.isNaN(r.difference())) o.put("differs_by", r.difference());
      if (!r.finished()) o.put("failure", r.score().failure());
    }));
    return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(all) + "\n";
  }
}
