package org.dyr.device;

import java.lang.foreign.MemorySegment;

/** A block of one device's memory, zeroed when allocated, 64-byte aligned. The only memory object that is closed. */
public interface Slab extends AutoCloseable {
  long bytes();

  /** The address on its device. */
  long address();

  /**
   * The memory as the host sees it.
   *
   * @throws UnsupportedOperationException where the host cannot address this device's memory
   */
  MemorySegment host();

  default Span span(long offset, long bytes) {
    return new Span(this, offset, bytes);
  }

  @Override void close();
}
