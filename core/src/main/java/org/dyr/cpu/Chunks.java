package org.dyr.cpu;

import java.util.List;
import org.dyr.op.Update;

/**
 * The parameters of a slab cut into chunks of at most {@link #SIZE} elements, none across two parameters: the unit in
 * which an optimizer's work is shared out and its norms are added up. The cut does not depend on the number of
 * workers.
 */
public final class Chunks {

  /** Elements of a chunk: 16 KiB of each slab. */
  public static final int SIZE = 1 << 12;

  public final int count;
  public final long[] begin;  // first element, (count)
  public final int[] length;  // elements, (count)
  public final int[] segment; // number of the parameter, (count)

  public Chunks(List<Update.Segment> segments) {
    long n = 0;
    for (Update.Segment s : segments) n += count(s);
    count = Math.toIntExact(n);
    begin = new long[count];
    length = new int[count];
    segment = new int[count];
    int c = 0;
    for (int i = 0; i < segments.size(); i++) {
      Update.Segment s = segments.get(i);
      for (int from = 0; from < s.length(); from += Math.min(SIZE, s.length() - from)) {
        begin[c] = s.offset() + from;
        length[c] = Math.min(SIZE, s.length() - from);
        segment[c++] = i;
      }
    }
  }

  /** The number of chunks of a parameter. */
  public static int count(Update.Segment s) {
    return Math.ceilDiv(s.length(), SIZE);
  }

  /**
   * Splits the chunks from..to-1 into contiguous shares of about as many elements each.
   *
   * @return the first chunk of each share, and {@code to} at the end
   */
  public int[] shares(int from, int to, int workers) {
    long total = 0;
    for (int c = from; c < to; c++) total += length[c];
    int[] first = new int[workers + 1];
    int c = from;
    long before = 0;
    for (int w = 0; w < workers; w++) {
      long goal = total * w / workers;
      while (c < to && before + length[c] / 2 < goal) before += length[c++];
      first[w] = c;
    }
    first[workers] = to;
    return first;
  }
}
