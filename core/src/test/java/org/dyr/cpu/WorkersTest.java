package org.dyr.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class WorkersTest {

  @Test void aPartitionCoversEveryItemOnce() {
    for (int workers : new int[] {1, 2, 3, 7, 64}) {
      for (int items : new int[] {0, 1, 2, 6, 7, 8, 63, 1000}) {
        assertEquals(0, Workers.begin(items, 0, workers));
        assertEquals(items, Workers.begin(items, workers, workers));
        for (int w = 0; w < workers; w++) {
          int share = Workers.begin(items, w + 1, workers) - Workers.begin(items, w, workers);
          assertTrue(share == items / workers || share == items / workers + 1, "%d of %d".formatted(share, items));
          assertEquals(Workers.begin(items, w, workers), Workers.begin((long) items, w, workers));
        }
      }
    }
    assertEquals(Integer.MAX_VALUE, Workers.begin(Integer.MAX_VALUE, 64, 64));
  }

  @Test void everyWorkerRunsOnceARound() {
    for (int count : new int[] {1, 2, 4}) {
      try (Workers workers = new Workers(count)) {
        assertEquals(count, workers.count());
        assertEquals(count - 1, workers.threadIds().length);
        AtomicIntegerArray runs = new AtomicIntegerArray(count);
        int rounds = count > 2 ? 100 : 1000;
        for (int r = 1; r <= rounds; r++) {
          workers.run(runs::incrementAndGet);
          for (int w = 0; w < count; w++) assertEquals(r, runs.get(w), "worker " + w);
        }
      }
    }
  }

  @Test void aFailureIsThrownOnAndForgotten() {
    try (Workers workers = new Workers(2)) {
      for (int bad = 0; bad < 2; bad++) {
        int failing = bad;
        Exception e = assertThrows(IllegalStateException.class, () -> workers.run(w -> {
          if (w == failing) throw new IllegalStateException("broken tile");
        }));
        assertTrue(e.getMessage().contains("broken tile"), e.getMessage());
        AtomicLong sum = new AtomicLong();
        workers.run(w -> sum.addAndGet(w + 1));
        assertEquals(3, sum.get());
      }
    }
  }

  @Test void whereAllFailTheNextRoundIsClean() {
    try (Workers workers = new Workers(3)) {
      assertThrows(IllegalStateException.class, () -> workers.run(w -> {
        throw new IllegalStateException("broken tile");
      }));
      AtomicLong sum = new AtomicLong();
      workers.run(w -> sum.addAndGet(w + 1));
      assertEquals(6, sum.get());
    }
  }

  @Test void callersQueue() throws InterruptedException {
    try (Workers workers = new Workers(2)) {
      long[] unguarded = new long[2];
      Runnable caller = () -> {
        for (int r = 0; r < 500; r++) workers.run(w -> unguarded[w]++);
      };
      Thread other = Thread.ofPlatform().start(caller);
      caller.run();
      other.join();
      assertEquals(1000, unguarded[0]);
      assertEquals(1000, unguarded[1]);
    }
  }

  /** As a pool that is shut down closes what its threads have. */
  @Test void closingEndsEveryThreadInAnInterruptedCallerToo() {
    Workers workers = new Workers(4);
    workers.run(w -> {});
    List<Thread> threads = Thread.getAllStackTraces().keySet().stream()
        .filter(t -> LongStream.of(workers.threadIds()).anyMatch(id -> id == t.threadId())).toList();
    assertEquals(3, threads.size());
    for (Thread t : threads) while (t.getState() != Thread.State.WAITING) Thread.onSpinWait(); // parked
    Thread.currentThread().interrupt();
    workers.close();
    assertTrue(Thread.interrupted(), "the interrupt is kept");
    for (Thread t : threads) assertFalse(t.isAlive(), t.getName());
  }

  @Test void needsAtLeastOneAndMustBeOpen() {
    assertThrows(IllegalArgumentException.class, () -> new Workers(0).close());
    Workers workers = new Workers(2);
    workers.close();
    assertThrows(IllegalStateException.class, () -> workers.run(w -> {}));
  }
}
