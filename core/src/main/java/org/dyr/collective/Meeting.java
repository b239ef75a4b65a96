package org.dyr.collective;

import java.util.Arrays;
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
  private final int[] members;
  private int attempt;
  private int arrived;
  private long round;

  /** @param members the ranks that meet, by their numbers in the circle */
  Meeting(Circle circle, int[] members) {
    this.circle = circle;
    this.members = members;
    size = members.length;
    from = new Span[size];
    to = new Span[size];
    numbers = new double[size];
    colors = new int[size];
    parts = new Meeting[size];
  }

  /** A meeting of these of its ranks, which breaks when this one does. */
  Meeting of(int[] ranks) {
    return new Meeting(circle, Arrays.stream(ranks).map(r -> members[r]).toArray());
  }

  /**
   * Returns when every rank has come.
   *
   * @throws BrokenMeetingException when one has failed before
   * @throws IllegalStateException when one will not come any more
   */
  void await() {
    boolean interrupted = false;
    try {
      synchronized (circle) {
        circle.check(members);
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
          if (round == mine) circle.check(members);
        }
      }
    } finally {
      if (interrupted) Thread.currentThread().interrupt();
    }
  }
}
