package org.dyr.benchmarks.peers;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * Players take turns, round by round, each round beginning with another one, so that a machine whose clock or
 * neighbours change slows all alike.
 *
 * @param most rounds
 * @param seconds after which no further round begins, however few there were
 * @param clock in seconds
 */
record Rounds(int most, double seconds, DoubleSupplier clock) {
  /** A player who takes longer than this and {@link #BEHIND} times the fastest one's time plays one round. */
  static final double SLOW_MILLIS = 10_000;
  static final double BEHIND = 2.5;

  /** Plays once. */
  interface Player {
    /** Returns the milliseconds that it took. */
    double play() throws ContestantException, IOException;
  }

  /**
   * What came of a player.
   *
   * @param millis by round, NaN where it did not play
   * @param failure why it plays no more, or null
   */
  record Score(double[] millis, String failure) {
    double median() {
      return Rounds.median(millis);
    }

    int played() {
      return (int) Arrays.stream(millis).filter(x -> !Double.isNaN(x)).count();
    }
  }

  /**
   * Has them play. A player that throws plays no more, and says why.
   *
   * @param staying how many, the first, play every round however long they take: all others are compared with them
   */
  Score[] play(List<Player> players, int staying) throws IOException {
    int n = players.size();
    double[][] millis = new double[n][most];
    for (double[] m : millis) Arrays.fill(m, Double.NaN);
    String[] failures = new String[n];
    boolean[] out = new boolean[n];
    double end = clock.getAsDouble() + seconds;
    for (int round = 0; round < most && (round == 0 || clock.getAsDouble() < end); round++) {
      for (int i = 0; i < n; i++) {
        int p = (round + i) % n;
        if (out[p]) continue;
        try {
          millis[p][round] = players.get(p).play();
        } catch (ContestantException e) {
          failures[p] = e.getMessage();
          out[p] = true;
        }
      }
      sendOff(millis, round, out, staying);
    }
    Score[] scores = new Score[n];
    for (int p = 0; p < n; p++) scores[p] = new Score(millis[p], failures[p]);
    return scores;
  }

  private static void sendOff(double[][] millis, int round, boolean[] out, int staying) {
    double fastest = Arrays.stream(millis).mapToDouble(m -> m[round]).filter(x -> !Double.isNaN(x)).min().orElse(0);
    for (int p = staying; p < out.length; p++) {
      out[p] |= millis[p][round] > Math.max(SLOW_MILLIS, BEHIND * fastest);
    }
  }

  /** The median of what is not NaN, the mean of the two in the middle where they are two; NaN of none. */
  static double median(double[] x) {
    double[] sorted = Arrays.stream(x).filter(v -> !Double.isNaN(v)).sorted().toArray();
    int n = sorted.length;
    return n == 0 ? Double.NaN : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }

  /** The median of a/b over the rounds that both have; NaN where there is none. */
  static double ratio(double[] a, double[] b) {
    double[] ratios = new double[a.length];
    for (int i = 0; i < a.length; i++) ratios[i] = a[i] / b[i];
    return median(ratios);
  }
}
