package org.dyr.benchmarks.peers;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Runs the product and its peers in turns and prints Markdown tables.
 *
 * <pre>Peers [--quick] [--rounds N] [--only SUBSTRING] [--leave-out PART,PART] [--threads N] [--json FILE]
 * Peers --list</pre>
 *
 * <p>Each engine in each precision is a process; those whose turn it is not are stopped. {@code --only}: rows whose
 * name has it, see {@code --list}. {@code --quick}: three rounds at most and short warm-ups; without it seven, as far
 * as four minutes a row allow. {@code --leave-out}: parts of names of engines, precisions or settings to do without,
 * such as {@code "libtorch 2.13 bf16,as it comes"}. The property {@code dyr.peers} is the folder {@code target} of the
 * peers' module; the variable {@code DYR_PEER_BLAS} an OpenBLAS on OpenMP to try beneath libtorch. The status is 1
 * where a peer's numbers in fp32 are not ours.
 */
public final class Peers {
  private Peers() {}

  /** The entry point. */
  public static void main(String[] args) throws IOException {
    Contest.Times times = Contest.Times.FULL;
    int rounds = 0, threads = Runtime.getRuntime().availableProcessors();
    String only = "";
    Path json = null;
    boolean list = false;
    List<String> leftOut = List.of();
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--peers" -> { }
        case "--quick" -> times = Contest.Times.QUICK;
        case "--list" -> list = true;
        case "--rounds" -> rounds = positive(args, ++i);
        case "--threads" -> threads = positive(args, ++i);
        case "--only" -> only = value(args, ++i);
        case "--leave-out" -> leftOut = List.of(value(args, ++i).split(","));
        case "--json" -> json = Path.of(value(args, ++i));
        default -> fail("unknown option " + args[i]);
      }
    }
    String part = only;
    List<Row> rows = Row.all().stream().filter(r -> r.name().contains(part)).toList();
    if (rows.isEmpty()) fail("no row has '%s' in its name; --list names them".formatted(only));
    if (list) {
      rows.forEach(r -> System.out.println(r.name()));
      return;
    }
    String peers = System.getProperty("dyr.peers");
    if (peers == null) fail("the property dyr.peers must name the folder target of the peers' module");
    if (rounds > 0) times = times.rounds(rounds);
    Map<Row, List<Result>> results = hold(rows, times, threads, Path.of(peers).toAbsolutePath(), leftOut);
    System.out.println(Report.summary(results));
    if (json != null) Files.writeString(json, Report.json(results));
    results.forEach((row, all) -> all.stream().filter(Result::strays).forEach(r -> System.err.printf(
        "bench: %s does not do the same work in '%s': its numbers differ by %s%n", r.contestant(), row.name(),
        r.difference())));
    if (results.values().stream().flatMap(List::stream).anyMatch(Result::strays)) System.exit(1);
  }

  private static Map<Row, List<Result>> hold(List<Row> rows, Contest.Times times, int threads, Path peers,
      List<String> leftOut) throws IOException {
    Path folder = Files.createTempDirectory("dyr-peers");
    Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
    Contest contest = new Contest(times, threads, folder, peers, System.getenv(Contestant.BLAS), leftOut,
        System.err::println);
    System.out.printf(Locale.ROOT, "%d threads; load average at the beginning: %.1f.%n%n", threads,
        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
    Map<Row, List<Result>> results = new LinkedHashMap<>();
    for (Row row : rows) {
      String missing = row.ofTexts() ? Medquad.find().missing() : null;
      System.err.println(row.name() + (missing == null ? "" : ": left out, " + missing));
      if (missing != null) continue;
      results.put(row, contest.hold(row));
      System.out.println(Report.details(row, results.get(row)));
    }
    return results;
  }

  private static void delete(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      all.sorted((a, b) -> b.compareTo(a)).forEach(p -> p.toFile().delete());
    } catch (IOException e) {
      System.err.println(folder + " stays: " + e.getMessage());
    }
  }

  private static int positive(String[] args, int i) {
    String text = value(args, i);
    if (!text.matches("[1-9]\\d{0,3}")) fail("%s must be a number from 1 to 9999, not %s".formatted(args[i - 1], text));
    return Integer.parseInt(text);
  }

  private static String value(String[] args, int i) {
    if (i == args.length) fail(args[i - 1] + " needs a value");
    return args[i];
  }

  private static void fail(String message) {
    System.err.println("bench: " + message);
    System.exit(2);
  }
}
