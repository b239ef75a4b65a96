package org.dyr.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PhiloxTest {

  /** The known answers that Random123 publishes for philox4x32 with 7 rounds. */
  @Test void givesTheKnownAnswers() {
    assertArrayEquals(new int[] {0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}, block(0, 0, 0, 0, 0, 0));
    assertArrayEquals(new int[] {0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662}, block(-1, -1, -1, -1, -1, -1));
    assertArrayEquals(new int[] {0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a},
        block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
  }

  private static int[] block(int c0, int c1, int c2, int c3, int k0, int k1) {
    int[] words = new int[4];
    for (int w = 0; w < 4; w++) words[w] = Philox.word(c0, c1, c2, c3, k0, k1, w);
    return words;
  }

  @Test void noTwoColumnsOfARowShareAHalf() {
    for (int columns : new int[] {1, 64, 65, 768, 1000}) {
      Set<Integer> seen = new HashSet<>();
      for (int c = 0; c < columns; c++) {
        int half = (Philox.counter(c) * 4 + Philox.wordOf(c)) * 2 + c % 2;
        assertTrue(seen.add(half), "column " + c + " of " + columns);
        assertTrue(Philox.counter(c) < Philox.stride(columns), "column " + c + " leaves its row of " + columns);
      }
    }
  }

  @Test void sixteenNeighboursTakeTheHalvesOfOneWordOfEightCounters() {
    for (int c = 0; c < 256; c += 16) {
      for (int i = 0; i < 16; i++) {
        assertEquals(Philox.wordOf(c), Philox.wordOf(c + i));
        assertEquals(Philox.counter(c) + i / 2, Philox.counter(c + i));
      }
    }
    assertEquals(0x5678, Philox.half(0xF2345678, 64));
    assertEquals(0xF234, Philox.half(0xF2345678, 65));
  }

  @Test void dropsTheShareThatWasAskedFor() {
    for (double p : new double[] {0, 0.1, 0.5, 0.9}) {
      int dropped = 0, n = 1 << 16, threshold = Philox.threshold(p);
      for (int i = 0; i < n; i++) {
        int word = Philox.word(i, 2, 3, 4, 5, 6, i & 3);
        if (!Philox.keeps(Philox.half(word, i >> 2), threshold)) dropped++;
      }
      // Four standard deviations of a binomial share.
      assertEquals(p, (double) dropped / n, 4 * Math.sqrt(p * (1 - p) / n), "p = " + p);
    }
  }

  @Test void theScaleMakesUpForTheShareThatIsDropped() {
    for (double p : new double[] {0, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9}) {
      assertEquals(1, Philox.scale(p) * (1 - Philox.threshold(p) / 65536.0), 1e-15, "p = " + p);
    }
  }

  @Test void comparesUnsigned() {
    assertTrue(Philox.keeps(0xFFFF, Philox.threshold(0.9)));
    assertFalse(Philox.keeps(0, Philox.threshold(0.1)));
    assertTrue(Philox.keeps(0, Philox.threshold(0)));
  }
}
