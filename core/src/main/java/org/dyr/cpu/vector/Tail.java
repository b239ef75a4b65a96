package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.device.Span;

/**
 * Room for the last vector of a stretch, where it is not whole, one for each worker: its elements are copied here,
 * worked on as a whole vector, and copied back. The same loop then serves both, and an element's result does not depend
 * on where the workers' stretches end.
 */
final class Tail {
  final MemorySegment dy; // (workers, lanes), as the three below
  final MemorySegment x;
  final MemorySegment b;
  final MemorySegment y;

  /** Takes the first {@link #scratchBytes} of the scratch. */
  Tail(Span scratch, int workers) {
    long each = scratchBytes(workers) / 4;
    dy = scratch.slice(0, each).segment();
    x = scratch.slice(each, each).segment();
    b = scratch.slice(2 * each, each).segment();
    y = scratch.slice(3 * each, each).segment();
  }

  static long scratchBytes(int workers) {
    return 4L * workers * Floats.BLOCK;
  }

  /** Index of the worker's first float. */
  long at(int worker) {
    return (long) worker * (Floats.BLOCK / 4);
  }

  /** Fewer than a vector of floats. */
  static void copy(MemorySegment from, long fromAt, MemorySegment to, long toAt, int n) {
    for (int i = 0; i < n; i++) Floats.set(to, toAt + i, Floats.get(from, fromAt + i));
  }
}
