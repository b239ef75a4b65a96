package org.dyr.kernels.cuda;

import java.lang.foreign.MemorySegment;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.dyr.device.Fetch;
import org.dyr.device.Span;

/**
 * Copies to the host that nobody waits for yet: each lands in a place of its own in pinned memory and goes on to its
 * target when it is awaited, or when its place is wanted again. There are {@value #SMALL_PLACES} places for numbers of a
 * step, and {@value #LARGE_PLACES} that grow, for the scores of batches.
 */
final class Fetches implements AutoCloseable {
  private static final int SMALL_PLACES = 256;
  private static final int SMALL = 64;
  private static final int LARGE_PLACES = 4;
  private static final int LEAST_LARGE = 1 << 14;

  private final Pointer numbers = Driver.allocatePinned(SMALL_PLACES * SMALL);
  private final Place[] small = new Place[SMALL_PLACES];
  private final Place[] large = new Place[LARGE_PLACES];
  private int nextSmall;
  private int nextLarge;

  Fetches() {
    MemorySegment memory = Driver.segment(numbers, SMALL_PLACES * SMALL);
    for (int i = 0; i < SMALL_PLACES; i++) {
      long offset = (long) i * SMALL;
      small[i] = new Place(new BytePointer(numbers).position(offset), memory.asSlice(offset, SMALL));
    }
    for (int i = 0; i < LARGE_PLACES; i++) large[i] = new Place(null, MemorySegment.NULL);
  }

  /** Where one copy lands after another: an earlier one has gone on to its target by then. */
  private static final class Place {
    final CUevent_st arrived = Driver.createEvent();
    Pointer at;
    MemorySegment bytes;
    Copy waiting;

    Place(Pointer at, MemorySegment bytes) {
      this.at = at;
      this.bytes = bytes;
    }

    void land() {
      if (waiting == null) return;
      Driver.synchronize(arrived);
      MemorySegment.copy(bytes, 0, waiting.to, 0, waiting.size);
      waiting = null;
    }

    /** Has room for so many bytes; nothing may be waiting. */
    void hold(long size) {
      if (size <= bytes.byteSize()) return;
      free();
      long most = Math.max(LEAST_LARGE, Long.highestOneBit(size - 1) << 1);
      at = Driver.allocatePinned(most);
      bytes = Driver.segment(at, most);
    }

    void free() {
      if (at != null) Driver.freePinned(at);
      at = null;
      bytes = MemorySegment.NULL;
    }
  }

  /** What is to go where. */
  private record Copy(MemorySegment to, long size) {}

  synchronized Fetch begin(Span from, MemorySegment to, CUstream_st stream) {
    Place place = from.bytes() <= SMALL ? next(small, nextSmall++) : next(large, nextLarge++);
    place.land();
    place.hold(from.bytes());
    Copy copy = new Copy(to, from.bytes());
    place.waiting = copy;
    Driver.download(place.at, from.address(), from.bytes(), stream);
    Driver.record(place.arrived, stream);
    return () -> await(place, copy);
  }

  private static Place next(Place[] places, int turn) {
    return places[Math.floorMod(turn, places.length)];
  }

  private synchronized void await(Place place, Copy copy) {
    if (place.waiting == copy) place.land();
  }

  @Override public void close() {
    for (Place p : small) Driver.destroy(p.arrived);
    for (Place p : large) {
      Driver.destroy(p.arrived);
      p.free();
    }
    Driver.freePinned(numbers);
  }
}
