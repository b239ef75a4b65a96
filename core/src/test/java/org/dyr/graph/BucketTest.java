package org.dyr.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BucketTest {
  private static final int MOST = 100_000;

  @Test void wastesAtMostAnEighth() {
    for (int n = 1; n <= MOST; n++) {
      int up = Bucket.roundUp(n);
      assertTrue(up >= n && (up - n) * 8L <= up, n + " is rounded up to " + up);
    }
  }

  @Test void growsWithTheBatch() {
    for (int n = 1; n <= MOST; n++) assertTrue(Bucket.roundUp(n) >= Bucket.roundUp(n - 1), "at " + n);
  }

  @Test void aBucketIsItsOwnBucket() {
    for (int n = 1; n <= MOST; n++) {
      Bucket b = Bucket.of(n, n, n);
      assertEquals(b, Bucket.of(b.tokens(), b.sequences(), b.groups()));
    }
  }

  @Test void fewCapacitiesServeAll() {
    long capacities = IntStream.rangeClosed(1, 1 << 16).map(Bucket::roundUp).distinct().count();
    assertTrue(capacities <= 8 * 13 + 8, capacities + " programs for up to 65,536 tokens");
  }

  @Test void knownCapacities() {
    assertEquals(new Bucket(32, 1, 1), Bucket.of(5, 1, 1));
    assertEquals(new Bucket(36, 18, 8), Bucket.of(33, 17, 8));
    assertEquals(new Bucket(1024, 0, 0), Bucket.of(1000, 0, 0));
  }
}
