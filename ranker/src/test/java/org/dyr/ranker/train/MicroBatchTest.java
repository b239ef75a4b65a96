package org.dyr.ranker.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.dyr.graph.Bucket;
import org.junit.jupiter.api.Test;

class MicroBatchTest {
  private static final int[] NOTHING = {0, 0};

  @Test void samplesAreTheOriginalsContiguousParts() {
    assertArrayEquals(new int[] {0, 0, 1, 1, 2, 2, 3, 3}, Balance.SAMPLES.owners(new int[8], new int[4]));
    assertArrayEquals(new int[] {0, 0, 1, 1, 1}, Balance.SAMPLES.owners(new int[5], NOTHING));
    assertArrayEquals(new int[] {1}, Balance.SAMPLES.owners(new int[] {9}, NOTHING));
    assertArrayEquals(new int[3], Balance.SAMPLES.owners(new int[3], new int[1]));
  }

  @Test void tokensGoToWhoHasTheFewest() {
    assertArrayEquals(new int[] {0, 1, 1, 1}, Balance.TOKENS.owners(new int[] {9, 3, 3, 3}, NOTHING));
    assertArrayEquals(new int[] {0, 1, 0}, Balance.TOKENS.owners(new int[] {4, 4, 4}, NOTHING),
        "of equal ones the first");
    assertArrayEquals(new int[] {1, 1}, Balance.TOKENS.owners(new int[] {4, 4}, new int[] {9, 1}),
        "counting those before");
    assertArrayEquals(new int[3], Balance.TOKENS.owners(new int[3], new int[1]));
  }

  /** Long and short passages: by tokens the slowest rank has hardly more than the mean, by samples much more. */
  @Test void tokensAreBalanced() {
    Random random = new Random(1);
    List<int[]> lengths = new ArrayList<>();
    for (int b = 0; b < 4; b++) lengths.add(random.ints(16, 10, 512).toArray());
    int total = lengths.stream().mapToInt(l -> Arrays.stream(l).sum()).sum();
    double[] share = new double[2];
    for (Balance balance : Balance.values()) {
      List<MicroBatch> cuts = MicroBatch.cut(lengths, 4, balance, 1 << 20);
      assertEquals(1, cuts.size());
      int[] tokens = new int[4];
      for (int b = 0; b < 4; b++) {
        for (int i = 0; i < 16; i++) tokens[cuts.getFirst().owners().get(b)[i]] += lengths.get(b)[i];
      }
      share[balance.ordinal()] = Arrays.stream(tokens).max().orElseThrow() * 4.0 / total;
    }
    assertTrue(share[Balance.TOKENS.ordinal()] < 1.02, Arrays.toString(share));
    assertTrue(share[Balance.SAMPLES.ordinal()] > 1.05, Arrays.toString(share));
  }

  @Test void cutsWhereARankWouldHaveTooMuch() {
    List<int[]> lengths = List.of(new int[] {6, 2}, new int[] {2, 6}, new int[] {3, 3}, new int[] {9, 1});
    List<MicroBatch> cuts = MicroBatch.cut(lengths, 2, Balance.SAMPLES, 9);
    assertEquals(List.of("0-2", "2-3", "3-4"), cuts.stream().map(m -> m.from() + "-" + m.to()).toList());
    assertEquals(Bucket.of(8, 2, 2), cuts.getFirst().bucket());
    assertEquals(List.of("0-3", "3-4"),
        MicroBatch.cut(lengths, 2, Balance.TOKENS, 12).stream().map(m -> m.from() + "-" + m.to()).toList());
    assertEquals("a group of 10 tokens, split along 2 ranks, does not fit token_budget 8: raise it, or lower "
        + "max_length or group_size", assertThrows(IllegalArgumentException.class,
            () -> MicroBatch.cut(lengths, 2, Balance.SAMPLES, 8)).getMessage());
    assertTrue(assertThrows(IllegalArgumentException.class, () -> MicroBatch.cut(lengths, 1, Balance.SAMPLES, 9))
        .getMessage().startsWith("a group of 10 tokens does not fit token_budget 9"));
  }

  /** Two ranks with up to three sequences: rank 1's logits begin at row 3. */
  @Test void theOrderLeadsFromGatheredLogitsToBlocks() {
    MicroBatch m = new MicroBatch(4, 6, List.of(new int[] {1, 0, 1}, new int[] {0, 1}), new Bucket(32, 3, 4));
    MemorySegment order = MemorySegment.ofArray(new int[] {9, 9, 9, 9, 9, 9, 9}), blocks =
        MemorySegment.ofArray(new int[] {9, 9, 9, 9, 9, 9});
    m.writeTo(order, blocks, 2);
    assertArrayEquals(new int[] {3, 0, 4, 1, 5, 0, 9}, order.toArray(ValueLayout.JAVA_INT));
    assertArrayEquals(new int[] {0, 3, 5, 5, 5, 9}, blocks.toArray(ValueLayout.JAVA_INT));
  }
}
