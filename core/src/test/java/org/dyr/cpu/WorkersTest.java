package org.dyr.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class WorkersTest {

  @Test void everyWorkerRunsOnce() {
    try (Workers workers = new Workers(3)) {
      int[] runs = new int[3];
      for (int i = 0; i < 100; i++) workers.run(w -> runs[w]++);
      assertArrayEquals(new int[] {100, 100, 100}, runs);
    }
  }

  @Test void aFailureReachesTheCaller() {
    try (Workers workers = new Workers(2)) {
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> workers.run(w -> {
        if (w == 1) throw new ArithmeticException("one");
      }));
      assertEquals("a worker failed: java.lang.ArithmeticException: one", e.getMessage());
    }
  }

  /** Where the caller's own part fails too, the worker's failure belongs to that run and not to the next. */
  @Test void aFailureIsNotHandedToTheNextRun() {
    try (Workers workers = new Workers(2)) {
      assertThrows(ArithmeticException.class, () -> workers.run(w -> {
        throw new ArithmeticException("both");
      }));
      int[] runs = new int[2];
      workers.run(w -> runs[w]++);
      assertArrayEquals(new int[] {1, 1}, runs);
    }
  }
}
