package org.dyr.kernels.cuda;

import java.lang.foreign.MemorySegment;
import org.dyr.device.Slab;

/** Memory of the card. */
final class CudaSlab implements Slab {
  private final CudaBackend backend;
  private final long bytes;
  private long address;

  CudaSlab(CudaBackend backend, long address, long bytes) {
    this.backend = backend;
    this.address = address;
    this.bytes = bytes;
  }

  @Override public long bytes() {
    return bytes;
  }

  @Override public long address() {
    return address;
  }

  @Override public MemorySegment host() {
    throw new UnsupportedOperationException("the host cannot address the memory of " + backend.name());
  }

  @Override public void close() {
    if (address == 0) return;
    backend.free(this);
    address = 0;
  }
}
