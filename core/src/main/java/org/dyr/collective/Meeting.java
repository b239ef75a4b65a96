package org.dyr.collective;

import org.dyr.device.Span;

/**
 * Threads that meet: a table that each writes its own column of, and a barrier that makes it visible to all. Nobody
 * spins, since there may be more ranks than processors.
 */
final class Meeting {
  final int size;
  final Span[] from;
  final Span[] to;
  final double[] numbers;
  final int[] colors;
  final Meeting[] parts;
  private final Circle circle;
  private int attempt;
  private int arrived;
  private long round;

  Meeting(Circle circle, int size) {
    this.circle = circle;
    this.size = size;
    from = new Span[size];
    to = new Span[size];
    numbers = new double[size];
    colors = new int[size];
    parts = new Meeting[size];
  }

  /** A meeting of fewer, which breaks when this one does. */
  Meeting of(int ranks) {
    return new Meeting(circle, ranks);
  }

  /**
   * Returns when every rank has come.
   *
   * @throws BrokenMeetingException when one has failed before
   */
  void await() {
    boolean interrupted = false;
    try {
      synchronized (circle) {
        circle.check();
        if (attempt != circle.attempt()) arrived = 0;
        attempt = circle.attempt();
        long mine = round;
        if (++arrived == size) {
          arrived = 0;
          round++;
          circle.notifyAll();
        }
        while (round == mine) {
          interrupted |= circle.interruptedWait();
          if (round == mine) circle.check();
        }
      }
    } finally {
      if (interrupted) Thread.currentThread().interrupt();
    }
  }
}
