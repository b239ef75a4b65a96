package org.dyr.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import org.dyr.benchmarks.peers.Job.Precision;

/** Holds rows: finds each contestant's fastest setting, starts their processes, and has them take turns. */
final class Contest {
  private static final DoubleSupplier CLOCK = () -> System.nanoTime() / 1e9;
  private static final long LEAST_FREE_BYTES = 3L << 30;
  private static final int MOST_WARM_UPS = 20;

  /** How long things may take, in seconds. */
  record Times(int rounds, double row, double warmUp, long sample) {
    static final Times FULL = new Times(7, 240, 20, 300);
    static final Times QUICK = new Times(3, 45, 6, 120);

    Times rounds(int other) {
      return new Times(other, row, warmUp, sample);
    }
  }

  /** A way to run a contestant. */
  private record Setting(String variant, Contestant.Surroundings surroundings) {
    @Override public String toString() {
      return surroundings.name().isEmpty() ? variant : variant + ", " + surroundings.name();
    }
  }

  /** A process and what its first run gave. */
  private record Ready(Child child, double[] numbers) {}

  private final Times times;
  private final int threads;
  private final Path folder;
  private final Path peers;
  private final String blas;
  private final List<String> leftOut;
  private final Consumer<String> say;
  private final Map<String, Contestant.Surroundings> surroundingsOf = new HashMap<>();
  private final Map<String, Setting> settingOf = new HashMap<>();
  private final Map<List<Object>, Double> tried = new HashMap<>(); // milliseconds of contestant, row, setting
  private final List<Child> running = new ArrayList<>();

  /**
   * @param folder for files of a contest
   * @param peers the folder {@code target} of the peers' module
   * @param blas for libtorch to be tried with, or null
   * @param leftOut parts of names: contestants, variants and environments that have one are not looked at
   * @param say takes notes on how it goes
   */
  Contest(Times times, int threads, Path folder, Path peers, String blas, List<String> leftOut,
      Consumer<String> say) {
    this.times = times;
    this.threads = threads;
    this.folder = folder;
    this.peers = peers;
    this.blas = blas;
    this.leftOut = leftOut;
    this.say = say;
    Runtime.getRuntime().addShutdownHook(new Thread(this::killAll));
  }

  /** Runs a row with all who do such work; one that fails has a result that says why. */
  List<Result> hold(Row row) throws IOException {
    List<Contestant> all = Contestant.in(row.mode()).stream().filter(c -> taken(c.toString())).toList();
    List<String> settings = new ArrayList<>();
    List<Ready> ready = new ArrayList<>();
    List<Rounds.Player> players = new ArrayList<>();
    for (Contestant c : all) {
      try {
        Setting setting = fastest(c, row);
        settings.add(setting.toString());
        say.accept("  %s, %s".formatted(c, setting));
        Ready r = warmedUp(c, row, setting);
        ready.add(r);
        players.add(() -> r.child.run().millis());
      } catch (ContestantException e) {
        if (settings.size() == ready.size()) settings.add("-");
        ready.add(null);
        players.add(() -> {
          throw e;
        });
      }
    }
    Rounds.Score[] scores = new Rounds(row.onlyCompares() ? 1 : times.rounds, times.row, CLOCK).play(players,
        (int) all.stream().filter(Contestant::ours).count());
    Ready ours = all.get(0).equals(Contestant.OURS) ? ready.get(0) : null;
    List<Result> results = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      Ready r = ready.get(i);
      long peak = r == null ? 0 : r.child.peakBytes();
      results.add(new Result(all.get(i), settings.get(i), scores[i], peak, difference(row, r, ours)));
    }
    killAll();
    return results;
  }

  private boolean taken(String name) {
    return leftOut.stream().noneMatch(name::contains);
  }

  private static double difference(Row row, Ready r, Ready ours) {
    if (!row.comparable() || r == null || ours == null) return Double.NaN;
    double most = 0;
    for (int i = 0; i < r.numbers.length; i++) {
      double d = Math.abs(r.numbers[i] - ours.numbers[i]);
      most = Math.max(most, row.mode() == Job.Mode.TRAIN ? d / Math.abs(ours.numbers[i]) : d);
    }
    return most;
  }

  private synchronized void killAll() {
    running.forEach(Child::close);
    running.clear();
  }

  private Ready warmedUp(Contestant c, Row row, Setting setting) throws ContestantException, IOException {
    Child child = start(c, row, setting);
    Child.Sample first = child.run();
    double spent = first.millis();
    int most = row.onlyCompares() ? 0 : MOST_WARM_UPS;
    for (int i = 0; i < most && spent < 1e3 * times.warmUp; i++) spent += child.run().millis();
    return new Ready(child, first.numbers());
  }

  private Child start(Contestant c, Row row, Setting setting) throws ContestantException, IOException {
    long free = free();
    if (free < LEAST_FREE_BYTES) throw new ContestantException("only %d MiB of memory were free".formatted(free >> 20));
    Job job = new Job(row.mode(), row.size(), row.dropout(), c.precision(), threads, Row.BATCH, setting.variant(),
        sequences(row));
    List<String> command = new ArrayList<>(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx1g",
        "-XX:-CreateCoredumpOnCrash", "--sun-misc-unsafe-memory-access=allow", "-Djava.io.tmpdir=" + folder));
    command.addAll(c.kind().flags);
    command.addAll(List.of("-cp", classPath(c), c.kind().main));
    command.addAll(job.arguments());
    Child child = Child.start(command, setting.surroundings().variables(), folder, times.sample);
    synchronized (this) {
      running.add(child);
    }
    return child;
  }

  private String classPath(Contestant c) {
    if (!c.ours()) return peers.resolve("classes") + ":" + peers.resolve("lib") + "/*";
    return String.join(":", Arrays.stream(System.getProperty("java.class.path").split(":"))
        .map(p -> Path.of(p).toAbsolutePath().toString()).toList());
  }

  private Path sequences(Row row) throws IOException {
    Path file = folder.resolve(row.name().replace(' ', '-') + ".txt");
    if (Files.exists(file)) return file;
    Sequence.write(row.ofTexts() ? Medquad.find().sequences(row.mode(), row.count())
        : Sequence.random(row.count(), row.length()), file);
    return file;
  }

  private static long free() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
      if (line.startsWith("MemAvailable:")) return Long.parseLong(line.replaceAll("\\D+", "")) << 10;
    }
    return Long.MAX_VALUE;
  }

  /** The environment is tried on the model's short row in fp32, the variant on a row of its length. */
  private Setting fastest(Contestant c, Row row) throws ContestantException, IOException {
    List<Contestant.Surroundings> possible =
        c.surroundings(threads, blas).stream().filter(s -> taken(s.name())).toList();
    List<String> variants = c.variants().stream().filter(this::taken).toList();
    if (possible.isEmpty() || variants.isEmpty()) throw new ContestantException("every setting was left out");
    if (row.onlyCompares()) return new Setting(variants.getFirst(), possible.getLast());
    Contestant plain = new Contestant(c.kind(), c.precision() == Precision.INT8 ? Precision.INT8 : Precision.F32);
    String where = plain + " " + row.shortest().name();
    Contestant.Surroundings surroundings = surroundingsOf.get(where);
    if (surroundings == null) {
      List<Setting> settings = new ArrayList<>();
      for (Contestant.Surroundings s : possible) settings.add(new Setting(variants.getFirst(), s));
      surroundings = fastest(plain, row.shortest(), settings).surroundings();
      surroundingsOf.put(where, surroundings);
    }
    String what = c + " " + row.even().name();
    Setting setting = settingOf.get(what);
    if (setting == null) {
      List<Setting> settings = new ArrayList<>();
      for (String variant : variants) settings.add(new Setting(variant, surroundings));
      setting = fastest(c, row.even(), settings);
      settingOf.put(what, setting);
    }
    return setting;
  }

  private Setting fastest(Contestant c, Row row, List<Setting> settings) throws ContestantException, IOException {
    if (settings.size() == 1) return settings.get(0);
    Map<Setting, Double> millis = new HashMap<>();
    String failure = "";
    for (Setting s : settings) {
      try {
        Double known = tried.get(List.of(c, row, s));
        millis.put(s, known == null ? tryOut(c, row, s) : known);
      } catch (ContestantException e) {
        failure = e.getMessage();
        say.accept("    tried %s, %s, on %s: %s".formatted(c, s, row.name(), failure));
      }
    }
    String last = failure;
    return millis.entrySet().stream().min(Comparator.comparingDouble(Map.Entry::getValue)).map(Map.Entry::getKey)
        .orElseThrow(() -> new ContestantException(last));
  }

  /** The faster of two runs after the first, or the first where that is slow. */
  private double tryOut(Contestant c, Row row, Setting setting) throws ContestantException, IOException {
    Child child = start(c, row, setting);
    try {
      double millis = child.run().millis();
      if (millis < Rounds.SLOW_MILLIS) millis = Math.min(child.run().millis(), child.run().millis());
      say.accept("    tried %s, %s, on %s: %.0f ms".formatted(c, setting, row.name(), millis));
      tried.put(List.of(c, row, setting), millis);
      return millis;
    } finally {
      child.close();
      synchronized (this) {
        running.remove(child);
      }
    }
  }
}
