package org.dyr.ranker.group;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SplitMix64Test {

  @Test void drawsThePublishedSequence() {
    SplitMix64 random = new SplitMix64(); // state 0
    assertEquals(0xE220A8397B1DCDAFL, random.nextLong());
    assertEquals(0x6E789E6AA1B965F4L, random.nextLong());
    assertEquals(0x06C45D188009454FL, random.nextLong());
  }

  @Test void keysGiveDifferentStreams() {
    long first = new SplitMix64(1, 2, 3).nextLong();
    assertEquals(first, new SplitMix64(1, 2, 3).nextLong());
    assertNotEquals(first, new SplitMix64(1, 3, 2).nextLong());
    assertNotEquals(first, new SplitMix64(2, 2, 3).nextLong());
    assertNotEquals(new SplitMix64(0, 0, 1).nextLong(), new SplitMix64(0, 1, 0).nextLong());
  }

  @Test void isUniformBelowABound() {
    SplitMix64 random = new SplitMix64(42);
    int[] counts = new int[7];
    for (int i = 0; i < 70_000; i++) counts[random.below(7)]++;
    double chiSquare = 0;
    for (int count : counts) chiSquare += (count - 10_000.0) * (count - 10_000.0) / 10_000.0;
    assertTrue(chiSquare < 22.5, "chi-square with 6 degrees of freedom is " + chiSquare); // p = 0.001
    assertEquals(0, random.below(1));
  }
}
