package org.dyr.kernels.cuda;

import java.lang.foreign.MemorySegment;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.dyr.device.Fetch;
import org.dyr.device.Span;

/**
 * Small copies to the host that nobody waits for yet: each lands in a place of its own in pinned memory, of which there
 * are {@value #PLACES}, and goes on to its target when it is awaited, or when its place is wanted again.
 */
final class Fetches implements AutoCloseable {
  private static final int PLACES = 256;
  private static final int BYTES = 64;

  private final Pointer pinned = Driver.allocatePinned(PLACES * BYTES);
  private final MemorySegment memory = Driver.segment(pinned, PLACES * BYTES);
  private final Place[] places = new Place[PLACES];
  private int next;

  Fetches() {
    for (int i = 0; i < PLACES; i++) places[i] = new Place(i);
  }

  /** Where one copy lands after another: an earlier one has gone on to its target by then. */
  private final class Place {
    final Pointer at;
    final MemorySegment bytes;
    final CUevent_st arrived = Driver.createEvent();
    Copy waiting;

    Place(int number) {
      at = new BytePointer(pinned).position((long) number * BYTES);
      bytes = memory.asSlice((long) number * BYTES, BYTES);
    }

    void land() {
      if (waiting == null) return;
      Driver.synchronize(arrived);
      MemorySegment.copy(bytes, 0, waiting.to, 0, waiting.size);
      waiting = null;
    }
  }

  /** What is to go where. */
  private record Copy(MemorySegment to, long size) {}

  /** @throws IllegalArgumentException for more than {@value #BYTES} bytes */
  synchronized Fetch begin(Span from, MemorySegment to, CUstream_st stream) {
    if (from.bytes() > BYTES) throw new IllegalArgumentException("a fetch takes %d bytes, not %d".formatted(BYTES, from.bytes()));
    Place place = places[next];
    next = (next + 1) % PLACES;
    place.land();
    Copy copy = new Copy(to, from.bytes());
    place.waiting = copy;
    Driver.download(place.at, from.address(), from.bytes(), stream);
    Driver.record(place.arrived, stream);
    return () -> await(place, copy);
  }

  private synchronized void await(Place place, Copy copy) {
    if (place.waiting == copy) place.land();
  }

  @Override public void close() {
    for (Place p : places) Driver.destroy(p.arrived);
    Driver.freePinned(pinned);
  }
}
