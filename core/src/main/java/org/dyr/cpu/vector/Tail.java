package org.dyr.cpu.vector;

import org.dyr.device.Span;

/**
 * Room for the last vector of a stretch, where it is not whole, one for each worker: its elements are copied here,
 * worked on as a whole vector, and copied back. The same loop then serves both, and an element's result does not depend
 * on where the workers' stretches end.
 */
final class Tail {
  private static final int OPERANDS = 4;
  private static final long BYTES = 64;

  private final long address; // (workers, operands, 64 bytes)

  /** Takes the first {@link #scratchBytes} of the scratch. */
  Tail(Span scratch) {
    address = scratch.address();
  }

  static long scratchBytes(int workers) {
    return workers * OPERANDS * BYTES;
  }

  /** The address of a worker's vector for one of four operands. */
  long at(int worker, int operand) {
    return address + (worker * OPERANDS + operand) * BYTES;
  }

  /** Copies fewer than a vector of floats and gives the address they went to. */
  static long copy(long from, long to, int n) {
    for (int i = 0; i < n; i++) Floats.set(to, i, Floats.get(from, i));
    return to;
  }
}
