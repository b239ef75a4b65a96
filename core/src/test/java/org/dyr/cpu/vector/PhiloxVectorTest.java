package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.op.Philox;
import org.junit.jupiter.api.Test;

class PhiloxVectorTest {
  private static final int[] RANDOM = {123456789, -987654321, 77, 0};
  private static final int SEQUENCE = 5, SITE = Philox.site(3, 2);

  @Test void givesTheFactorsOfTheRuleAndWritesNoFurtherThanItsScratch() {
    for (double p : new double[] {0, 0.1, 0.5, 0.9, 1 - 1e-9}) {
      for (int blocks = 1; blocks <= 5; blocks++) {
        for (int counter : new int[] {0, 3 * Philox.ATTENTION_STRIDE, -1234 & -8}) check(p, blocks, counter);
      }
    }
  }

  private static void check(double p, int blocks, int counter) {
    try (Arena arena = Arena.ofConfined()) {
      int columns = blocks * PhiloxVector.BLOCK, room = PhiloxVector.scratch(columns);
      MemorySegment random = arena.allocateFrom(ValueLayout.JAVA_INT, RANDOM);
      MemorySegment out = arena.allocate(4L * (room + 1), 64);
      out.setAtIndex(ValueLayout.JAVA_FLOAT, room, 7);
      new PhiloxVector(random.address(), p).factors(counter, SEQUENCE, SITE, blocks, out.address());
      for (int c = 0; c < columns; c++) {
        int word = Philox.word(counter + Philox.counter(c), SEQUENCE, SITE, RANDOM[2], RANDOM[0], RANDOM[1],
            Philox.wordOf(c));
        boolean stays = Philox.keeps(Philox.half(word, c), Philox.threshold(p));
        assertEquals(stays ? (float) Philox.scale(p) : 0, out.getAtIndex(ValueLayout.JAVA_FLOAT, c),
            "column %d of %d, p = %s, from counter %d".formatted(c, columns, p, counter));
      }
      assertEquals(7, out.getAtIndex(ValueLayout.JAVA_FLOAT, room));
    }
  }
}
