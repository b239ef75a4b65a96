package org.dyr.collective;

import java.util.Arrays;

/**
 * What all meetings of one set of threads share: the lock that they wait on, and the failure that ends them. Waits end
 * in a notification, never in an interrupt: a step takes seconds at most, and the interrupt is kept for whoever waits
 * after it.
 */
final class Circle {
  private final boolean[] left;
  private Throwable broken;
  private int attempt;

  Circle(int ranks) {
    left = new boolean[ranks];
  }

  /** A task begins in every rank. */
  synchronized void begin() {
    Arrays.fill(left, false);
  }

  /** A rank's task has ended: nobody may wait for it any more. */
  synchronized void leave(int rank) {
    left[rank] = true;
    notifyAll();
  }

  /**
   * Breaks every meeting. What others throw because of it, or for the same reason, is not told again; what else they
   * throw is kept with it.
   */
  synchronized void fail(Throwable why) {
    if (broken == null) broken = why;
    else if (!(why instanceof BrokenMeetingException) && !why.toString().equals(broken.toString())) {
      broken.addSuppressed(why);
    }
    notifyAll();
  }

  /** The failure, taken away: meetings begin anew. Nobody may be in one. */
  synchronized Throwable takeFailure() {
    Throwable why = broken;
    broken = null;
    if (why != null) attempt++;
    return why;
  }

  /** How many failures there have been; what a meeting counted before the last is void. */
  synchronized int attempt() {
    return attempt;
  }

  /**
   * @throws BrokenMeetingException when a rank has failed
   * @throws IllegalStateException when one of these ranks has ended its task without this meeting
   */
  synchronized void check(int[] members) {
    if (broken != null) throw new BrokenMeetingException(broken);
    for (int m : members) {
      if (left[m]) throw new IllegalStateException("rank %d has ended while others wait for it".formatted(m));
    }
  }

  /** Waits for a notification; the lock must be held. Whether it was an interrupt instead. */
  boolean interruptedWait() {
    try {
      wait();
      return false;
    } catch (InterruptedException e) {
      return true;
    }
  }
}
