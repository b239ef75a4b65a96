package org.dyr.cpu.vector;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Where the workers of one task wait for each other, as often as they like. Waiting spins, since all have the same
 * amount of work, and yields when one was kept from its core. A worker that fails before it arrives leaves the others
 * waiting, so nothing between two barriers may throw. Allocates nothing.
 */
final class Barrier {

  private static final int SPINS = 1 << 12;

  private final int count;
  private final AtomicInteger arrived = new AtomicInteger();
  private final AtomicInteger round = new AtomicInteger();

  Barrier(int count) {
    this.count = count;
  }

  /** Returns when all workers have called it; what they wrote before is then visible to each. */
  void await() {
    if (count == 1) return;
    int now = round.get();
    if (arrived.incrementAndGet() == count) {
      arrived.set(0);
      round.set(now + 1);
      return;
    }
    for (int spin = 0; round.get() == now; spin++) {
      if (spin < SPINS) Thread.onSpinWait();
      else Thread.yield();
    }
  }
}
