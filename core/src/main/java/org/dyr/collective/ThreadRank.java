package org.dyr.collective;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.dyr.device.Span;
import org.dyr.tensor.DType;

/** A rank that is a thread and reads the memory of the others. */
final class ThreadRank implements Collective {
  /** Elements added at once: two arrays of them stay in the first-level cache. */
  private static final int BLOCK = 2048;

  /** Parts of a sum begin at multiples of it: no two ranks write one cache line. */
  private static final int LINE = 16;

  private final Meeting meeting;
  private final int rank;
  private final double[] sum = new double[BLOCK];
  private final double[] term = new double[BLOCK];
  private final float[] sum32 = new float[BLOCK];
  private final float[] term32 = new float[BLOCK];

  ThreadRank(Meeting meeting, int rank) {
    this.meeting = meeting;
    this.rank = rank;
  }

  @Override public int rank() {
    return rank;
  }

  @Override public int size() {
    return meeting.size;
  }

  @Override public void allGather(Span from, Span to) {
    Spans.check(to.bytes() == size() * from.bytes(), "allGather: %d ranks with %d bytes each do not fill %d", size(),
        from.bytes(), to.bytes());
    show(from, to);
    for (int r = 0; r < size(); r++) Spans.copy(meeting.from[r], 0, to, r * from.bytes(), from.bytes());
    meeting.await();
  }

  @Override public void own(Span all, Span mine) {
    Spans.copy(Spans.part(all, mine, rank, size()), mine);
  }

  /** Writes the spans where the others see them, and returns when all have. */
  private void show(Span from, Span to) {
    meeting.from[rank] = from;
    meeting.to[rank] = to;
    meeting.await();
    for (int r = 0; r < size(); r++) {
      long others = meeting.from[r].bytes();
      Spans.check(others == from.bytes(), "rank %d gives %d bytes, rank %d gives %d", rank, from.bytes(), r, others);
    }
  }

  /** Each rank adds its part of the elements over all ranks, then fetches the parts of those that wrote elsewhere. */
  @Override public void allReduce(Span from, Span to, DType type) {
    Spans.checkSum(from, to, type);
    show(from, to);
    long elements = from.bytes() / type.bytes();
    for (long at = begin(elements, rank), end = begin(elements, rank + 1); at < end; at += BLOCK) {
      int n = (int) Math.min(BLOCK, end - at);
      if (type == DType.F64) add64(at, n, to);
      else add32(at, n, to);
    }
    meeting.await();
    for (int r = 0; r < size(); r++) {
      if (Spans.same(meeting.to[r], to)) continue;
      long at = begin(elements, r) * type.bytes(), end = begin(elements, r + 1) * type.bytes();
      Spans.copy(meeting.to[r], at, to, at, end - at);
    }
    meeting.await();
  }

  private long begin(long elements, int part) {
    return part == size() ? elements : elements * part / size() / LINE * LINE;
  }

  private void add32(long at, int n, Span to) {
    read(ValueLayout.JAVA_FLOAT, meeting.from[0], at * Float.BYTES, sum32, n);
    for (int r = 1; r < size(); r++) {
      read(ValueLayout.JAVA_FLOAT, meeting.from[r], at * Float.BYTES, term32, n);
      for (int i = 0; i < n; i++) sum32[i] += term32[i];
    }
    MemorySegment.copy(sum32, 0, to.slab().host(), ValueLayout.JAVA_FLOAT, to.offset() + at * Float.BYTES, n);
  }

  private void add64(long at, int n, Span to) {
    read(ValueLayout.JAVA_DOUBLE, meeting.from[0], at * Double.BYTES, sum, n);
    for (int r = 1; r < size(); r++) {
      read(ValueLayout.JAVA_DOUBLE, meeting.from[r], at * Double.BYTES, term, n);
      for (int i = 0; i < n; i++) sum[i] += term[i];
    }
    MemorySegment.copy(sum, 0, to.slab().host(), ValueLayout.JAVA_DOUBLE, to.offset() + at * Double.BYTES, n);
  }

  private static void read(ValueLayout layout, Span from, long offset, Object to, int n) {
    MemorySegment.copy(from.slab().host(), layout, from.offset() + offset, to, 0, n);
  }

  @Override public double sum(double value) {
    meeting.numbers[rank] = value;
    meeting.await();
    double total = 0;
    for (double x : meeting.numbers) total += x;
    meeting.await();
    return total;
  }

  @Override public Collective split(int color) {
    meeting.colors[rank] = color;
    meeting.await();
    int[] members = IntStream.range(0, size()).filter(r -> meeting.colors[r] == color).toArray();
    if (members[0] == rank) meeting.parts[rank] = meeting.of(members);
    meeting.await();
    Meeting part = meeting.parts[members[0]];
    meeting.await();
    return members.length == 1 ? new Solo() : new ThreadRank(part, Arrays.binarySearch(members, rank));
  }
}
