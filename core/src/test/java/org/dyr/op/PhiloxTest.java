package org.dyr.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PhiloxTest {

  /** The known answers that Random123 publishes for philox4x32 with 10 rounds. */
  @Test void givesTheKnownAnswers() {
    assertArrayEquals(new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, block(0, 0, 0, 0, 0, 0));
    assertArrayEquals(new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, block(-1, -1, -1, -1, -1, -1));
    assertArrayEquals(new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
        block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
  }

  private static int[] block(int c0, int c1, int c2, int c3, int k0, int k1) {
    int[] words = new int[4];
    for (int w = 0; w < 4; w++) words[w] = Philox.word(c0, c1, c2, c3, k0, k1, w);
    return words;
  }

  @Test void noTwoColumnsOfARowShareAWord() {
    for (int columns : new int[] {1, 64, 65, 768, 1000}) {
      Set<Integer> seen = new HashSet<>();
      for (int c = 0; c < columns; c++) {
        assertTrue(seen.add(Philox.counter(c) * 4 + Philox.wordOf(c)), "column " + c + " of " + columns);
        assertTrue(Philox.counter(c) < Philox.stride(columns), "column " + c + " leaves its row of " + columns);
      }
    }
  }

  @Test void sixteenNeighboursTakeOneWordOfSixteenCounters() {
    for (int c = 0; c < 256; c += 16) {
      for (int i = 0; i < 16; i++) {
        assertEquals(Philox.wordOf(c), Philox.wordOf(c + i));
        assertEquals(Philox.counter(c) + i, Philox.counter(c + i));
      }
    }
  }

  @Test void dropsTheShareThatWasAskedFor() {
    for (double p : new double[] {0, 0.1, 0.5, 0.9}) {
      int dropped = 0, n = 1 << 16, threshold = Philox.threshold(p);
      for (int i = 0; i < n; i++) if (!Philox.keeps(Philox.word(i, 2, 3, 4, 5, 6, i & 3), threshold)) dropped++;
      // Four standard deviations of a binomial share.
      assertEquals(p, (double) dropped / n, 4 * Math.sqrt(p * (1 - p) / n), "p = " + p);
    }
  }

  @Test void comparesUnsigned() {
    assertTrue(Philox.keeps(-1, Philox.threshold(0.9)));
    assertFalse(Philox.keeps(0, Philox.threshold(0.1)));
    assertTrue(Philox.keeps(0, Philox.threshold(0)));
  }
}
