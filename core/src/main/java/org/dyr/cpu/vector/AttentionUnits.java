package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;

/**
 * How attention is divided: a unit is one head of one sequence, and nothing in it depends on another unit. Units are
 * dealt out in order by their work, the square of the length, so that a worker may take one long sequence while another
 * takes many short ones. A unit's numbers do not depend on who computes it.
 */
final class AttentionUnits {

  /**
   * The work on one head of the tokens {@code start..start+length-1}, which are sequence {@code index} of the batch.
   */
  interface Unit {
    void run(int worker, int head, int index, int start, int length);
  }

  /** The work on tokens that belong to no sequence. */
  interface Rest {
    void run(int from, int to);
  }

  private final MemorySegment offsets; // i32(S+1)
  private final int sequences;
  private final int tokens;
  private final int heads;
  private final int workers;
  private final int run;

  AttentionUnits(MemorySegment offsets, int sequences, int tokens, int heads, int workers) {
    this(offsets, sequences, tokens, heads, workers, 1);
  }

  /** @param run so many units in a row go to one worker, counted from unit 0: head 0 of sequence 0, then head 1 */
  AttentionUnits(MemorySegment offsets, int sequences, int tokens, int heads, int workers, int run) {
    this.offsets = offsets;
    this.sequences = sequences;
    this.tokens = tokens;
    this.heads = heads;
    this.workers = workers;
    this.run = run;
  }

  /** Runs a worker's share. */
  void share(int worker, Unit unit, Rest rest) {
    long total = 0;
    for (int s = 0; s < sequences; s++) total += heads * work(s);
    long from = Workers.begin(total, worker, workers), to = Workers.begin(total, worker + 1, workers), at = 0;
    int last = -1;
    boolean mine = false;
    for (int s = 0; s < sequences; s++) {
      int start = offset(s), length = offset(s + 1) - start;
      for (int h = 0; h < heads && length > 0; h++, at += work(s)) {
        int number = runOf(s, h);
        if (number != last) mine = at >= from && at < to;
        last = number;
        if (mine) unit.run(worker, h, s, start, length);
      }
    }
    int end = offset(sequences);
    rest.run(end + Workers.begin(tokens - end, worker, workers),
        end + Workers.begin(tokens - end, worker + 1, workers));
  }

  /** The number of a unit's run. */
  int runOf(int sequence, int head) {
    return (sequence * heads + head) / run;
  }

  private long work(int s) {
    long length = offset(s + 1) - offset(s);
    return length * length;
  }

  private int offset(int s) {
    return offsets.getAtIndex(JAVA_INT, s);
  }
}
