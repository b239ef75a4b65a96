package org.dyr.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoundsTest {
  private static final double NAN = Double.NaN;

  @Test void playersTakeTurnsAndEachRoundBeginsWithAnother() throws IOException {
    List<Integer> order = new ArrayList<>();
    List<Rounds.Player> players = new ArrayList<>();
    for (int p = 0; p < 3; p++) {
      int number = p;
      players.add(() -> {
        order.add(number);
        return 10 * number + 1;
      });
    }
    Rounds.Score[] scores = new Rounds(4, 1, () -> 0).play(players, 0);
    assertEquals(List.of(0, 1, 2, 1, 2, 0, 2, 0, 1, 0, 1, 2), order);
    assertArrayEquals(new double[] {11, 11, 11, 11}, scores[1].millis());
    assertNull(scores[1].failure());
  }

  @Test void oneThatFailsPlaysNoMoreAndTheOthersGoOn() throws IOException {
    int[] calls = new int[1];
    Rounds.Score[] scores = new Rounds(3, 1, () -> 0).play(List.of(() -> 5, () -> {
      if (calls[0]++ == 1) throw new ContestantException("crashed");
      return 7;
    }), 0);
    assertEquals("crashed", scores[1].failure());
    assertArrayEquals(new double[] {7, NAN, NAN}, scores[1].millis());
    assertEquals(1, scores[1].played());
    assertArrayEquals(new double[] {5, 5, 5}, scores[0].millis());
  }

  @Test void oneThatIsFarBehindPlaysOnce() throws IOException {
    double slow = Rounds.SLOW_MILLIS + 1;
    Rounds.Score[] scores = new Rounds(3, 1, () -> 0).play(List.of(() -> 100, () -> slow, () -> 90 * Rounds.BEHIND), 0);
    assertArrayEquals(new double[] {slow, NAN, NAN}, scores[1].millis());
    assertNull(scores[1].failure());
    assertEquals(3, scores[0].played());
    assertEquals(3, scores[2].played(), "little time is no reason to leave");
    Rounds.Score[] all = new Rounds(2, 1, () -> 0).play(List.of(() -> slow, () -> 2 * slow), 0);
    assertEquals(2, all[1].played(), "slow as all are");
    Rounds.Score[] ours = new Rounds(2, 1, () -> 0).play(List.of(() -> slow, () -> 100), 1);
    assertEquals(2, ours[0].played(), "one who stays");
  }

  @Test void noRoundBeginsAfterTheTimeButOneIsPlayed() throws IOException {
    double[] clock = new double[1];
    Rounds.Score[] scores = new Rounds(5, 25, () -> clock[0]).play(List.of(() -> clock[0] += 10), 0);
    assertEquals(3, scores[0].played());
    assertEquals(1, new Rounds(5, 0, () -> 0).play(List.of(() -> 1), 0)[0].played());
  }

  @Test void mediansAndPairedRatiosLeaveOutWhatWasNotPlayed() {
    assertEquals(3, Rounds.median(new double[] {9, NAN, 3, 1}));
    assertEquals(2, Rounds.median(new double[] {3, 1}));
    assertTrue(Double.isNaN(Rounds.median(new double[] {NAN})));
    assertEquals(2, Rounds.ratio(new double[] {2, 40, 6}, new double[] {1, 10, 3}));
    assertEquals(0.5, Rounds.ratio(new double[] {1, NAN, 3}, new double[] {2, 10, NAN}));
    assertTrue(Double.isNaN(Rounds.ratio(new double[] {1, NAN}, new double[] {NAN, 1})));
  }
}
