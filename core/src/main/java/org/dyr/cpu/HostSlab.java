package org.dyr.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Slab;

/** Host memory in one shared arena: huge pages for large slabs where the system gives them, else plain memory. */
final class HostSlab implements Slab {
  private static final long CACHE_LINE = 64;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;

  HostSlab(long bytes, String what) {
    try {
      memory = bytes >= HugePages.SIZE && HugePages.available()
          ? HugePages.map(bytes, arena) : arena.allocate(bytes, CACHE_LINE);
    } catch (OutOfMemoryError | IllegalArgumentException e) {
      arena.close();
      throw new OutOfDeviceMemory("cpu: %,d bytes for the %s were refused (%s)".formatted(bytes, what, e.getMessage()),
          e);
    }
  }

  @Override public long bytes() {
    return memory.byteSize();
  }

  @Override public long address() {
    return memory.address();
  }

  @Override public MemorySegment host() {
    return memory;
  }

  @Override public void close() {
    arena.close();
  }
}
