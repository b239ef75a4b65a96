package org.dyr.kernels.cuda;

import java.lang.foreign.MemorySegment;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Pinned memory that copies between host and card pass through: a ring of pieces, each in use until the card has copied
 * it. An upload waits for nobody but the copy whose place it wants, so the host packs and uploads the batches that come
 * while the card is at work on those before. One caller at a time.
 */
final class Staging implements AutoCloseable {
  /** Several batches of {@link CudaBackend#batchTokens} tokens, each of under a megabyte in a dozen pieces. */
  private static final int BYTES = 16 << 20;
  private static final int PIECES = 256;

  /** The most that is copied at once; the rest of a longer copy goes to another piece meanwhile. */
  private static final int LONGEST = 4 << 20;

  /** Where pieces begin: the host copies whole cache lines. */
  private static final int LINE = 64;

  private final CUstream_st stream;
  private final Pointer pinned = Driver.allocatePinned(BYTES);
  private final BytePointer at = new BytePointer(pinned);
  private final MemorySegment memory = Driver.segment(pinned, BYTES);
  private final CUevent_st[] copied = new CUevent_st[PIECES];
  private final int[] begins = new int[PIECES];
  private final int[] ends = new int[PIECES];
  private int oldest;
  private int count;
  private int free;

  Staging(CUstream_st stream) {
    this.stream = stream;
    for (int i = 0; i < PIECES; i++) copied[i] = Driver.createEvent();
  }

  /** Copies host memory to the card, in the stream's order; the host's is free when it returns. */
  void upload(MemorySegment from, long bytes, long to) {
    for (long done = 0; done < bytes; done += LONGEST) {
      int n = (int) Math.min(LONGEST, bytes - done), place = take(n);
      MemorySegment.copy(from, done, memory, place, n);
      Driver.upload(to + done, at.position(place), n, stream);
      Driver.record(copied[(oldest + count++) % PIECES], stream);
    }
  }

  /** Copies the card's memory to the host's, and waits for it. */
  void download(long from, long bytes, MemorySegment to) {
    for (long done = 0; done < bytes; done += LONGEST) {
      int n = (int) Math.min(LONGEST, bytes - done), place = take(n);
      Driver.download(at.position(place), from + done, n, stream);
      Driver.synchronize(stream);
      MemorySegment.copy(memory, place, to, done, n);
    }
  }

  /** A piece of n bytes that no copy uses; it counts once its event is recorded. */
  private int take(int n) {
    if (free + n > BYTES) { // behind here are the oldest pieces, if any, and then those at the beginning
      while (count > 0 && begins[oldest] >= free) retire();
      free = 0;
    }
    int begin = free, end = begin + n;
    while (count == PIECES || count > 0 && begins[oldest] < end && begin < ends[oldest]) retire();
    int piece = (oldest + count) % PIECES;
    begins[piece] = begin;
    ends[piece] = end;
    free = Math.ceilDiv(end, LINE) * LINE;
    return begin;
  }

  private void retire() {
    Driver.synchronize(copied[oldest]);
    oldest = (oldest + 1) % PIECES;
    count--;
  }

  @Override public void close() {
    for (CUevent_st event : copied) Driver.destroy(event);
    Driver.freePinned(pinned);
  }
}
