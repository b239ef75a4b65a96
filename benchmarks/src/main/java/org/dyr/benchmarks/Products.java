package org.dyr.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ServiceLoader;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.Peak;
import org.dyr.device.Span;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Layers' matrix products of {@code native} and {@code openblas} beside a peer's, in turn within one JVM, over the same
 * operands. The results are compared first. A turn is a launch that wakes its contestant's threads, while the last
 * one's fall asleep, and another that is timed.
 *
 * <pre>Products [--quick] [--threads N] [--only REGEX] [--out FILE]</pre>
 */
public final class Products {
  private static final String OURS = "native", BLAS = "openblas";
  private static final int LEAST_ROUNDS = 11;
  private static final double WARM_UP_SECONDS = 0.5;
  private static final double QUICK_SECONDS = 2, SECONDS = 10;

  /** The most that an element of c may differ by from ours, in its standard deviations, sqrt(K). */
  private static final double MOST_DIFFERENCE = 1e-4;
  /** The same where c is rounded to bf16, whose last place is worth 0.03 from four of them on. */
  private static final double MOST_ROUNDED_DIFFERENCE = 4e-2;

  private final int threads;
  private final double seconds;
  private final ProductPeer peer;

  private Products(int threads, double seconds, ProductPeer peer) {
    this.threads = threads;
    this.seconds = seconds;
    this.peer = peer;
  }

  /** The entry point. */
  public static void main(String[] args) throws IOException {
    double seconds = SECONDS;
    int threads = Runtime.getRuntime().availableProcessors();
    String only = ".*";
    Path out = null;
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--peers", "--products" -> { }
        case "--quick" -> seconds = QUICK_SECONDS;
        case "--threads" -> threads = Integer.parseInt(args[++i]);
        case "--only" -> only = args[++i];
        case "--out" -> out = Path.of(args[++i]);
        default -> throw new IllegalArgumentException("unknown option " + args[i]);
      }
    }
    ProductPeer peer = ServiceLoader.load(ProductPeer.class).findFirst()
        .orElseThrow(() -> new IllegalStateException("no ProductPeer on the class path"));
    String table = new Products(threads, seconds, peer).table(only);
    System.out.println(table);
    if (out != null) Files.writeString(out, table);
  }

  private String table(String only) {
    Peak peak;
    try (Backend backend = Devices.open("cpu", new DeviceOptions(threads, DeviceOptions.AUTO))) {
      peak = backend.measurePeak();
    }
    ProductTable table = new ProductTable(peer.title(), threads, peak);
    for (Product p : Product.all()) {
      if (!p.toString().matches(only)) continue;
      System.err.println(p);
      table.add(p, measure(p));
    }
    return table.toString();
  }

  /** Milliseconds by contestant and round, the contestants as {@link ProductTable} has them; null of one left out. */
  private double[][] measure(Product p) {
    try (Bench ours = new Bench(OURS, threads); Bench blas = new Bench(BLAS, threads)) {
      DType type = p.bf16() ? DType.BF16 : DType.F32;
      MatMul op = new MatMul(p.transposeA(), p.transposeB(), p.bf16() && !p.rounded());
      Spec[] in = {p.transposeA() ? Spec.of(type, p.k(), p.m()) : Spec.of(type, p.m(), p.k()),
          p.transposeB() ? Spec.of(type, p.n(), p.k()) : Spec.of(type, p.k(), p.n())};
      Spec out = op.outputs(in)[0];
      Span[] ab = {ours.operand(in[0]), ours.operand(in[1])};
      Span[] c = new Span[ProductTable.CONTESTANTS];
      for (int i = 0; i < c.length; i++) c[i] = ours.zeros(out);
      Runnable[] players = {
          ours.prepare(op, in, ab, new Span[] {c[0]})::launch,
          peer.prepare(p, threads, false, ab[0].address(), ab[1].address(), c[1].address()),
          p.ofWeight() ? peer.prepare(p, threads, true, ab[0].address(), ab[1].address(), c[2].address()) : null,
          p.bf16() ? null : blas.prepare(op, in, ab, new Span[] {c[3]})::launch};
      for (int i = 0; i < players.length; i++) {
        if (players[i] == null) continue;
        players[i].run();
        check(p, ProductTable.name(i), out, c[0].segment(), c[i].segment());
      }
      return play(players);
    }
  }

  private double[][] play(Runnable[] players) {
    double[][] millis = new double[players.length][1];
    double warm = 0;
    int rounds = 0;
    for (; warm < WARM_UP_SECONDS; rounds++) warm += round(players, 0, millis);
    rounds = Math.max(LEAST_ROUNDS, (int) (seconds * rounds / warm));
    for (int i = 0; i < players.length; i++) millis[i] = players[i] == null ? null : new double[rounds];
    for (int round = 0; round < rounds; round++) round(players, round, millis);
    return millis;
  }

  /** Everybody's turn, begun by another one each round. Returns the seconds of all. */
  private static double round(Runnable[] players, int round, double[][] millis) {
    long start = System.nanoTime();
    for (int i = 0; i < players.length; i++) {
      int which = (round + i) % players.length;
      if (players[which] == null) continue;
      players[which].run();
      long begin = System.nanoTime();
      players[which].run();
      millis[which][round] = (System.nanoTime() - begin) / 1e6;
    }
    return (System.nanoTime() - start) / 1e9;
  }

  /** A wrong layout makes differences of the order of sqrt(K), for standard normal operands. */
  private static void check(Product p, String who, Spec spec, MemorySegment ours, MemorySegment theirs) {
    double most = (p.rounded() ? MOST_ROUNDED_DIFFERENCE : MOST_DIFFERENCE) * Math.sqrt(p.k());
    for (long i = 0; i < spec.shape().size(); i++) {
      double x = spec.type().get(ours, i), y = spec.type().get(theirs, i);
      if (!(Math.abs(x - y) <= most)) {
        throw new IllegalStateException("%s, %s: element %d of c is %s, ours is %s".formatted(p, who, i, y, x));
      }
    }
  }
}
