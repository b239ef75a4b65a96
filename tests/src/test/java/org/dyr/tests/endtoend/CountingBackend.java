package org.dyr.tests.endtoend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.dyr.device.Backend;
import org.dyr.device.KernelSet;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;

/** A device that counts its slabs, those allocated and those not yet closed, and that can be told to refuse one. */
final class CountingBackend implements Backend {
  private final Backend backend;
  private int allocations;
  private int refused = Integer.MAX_VALUE;
  private int live;
  private long liveBytes;

  CountingBackend(Backend backend) {
    this.backend = backend;
  }

  /** Refuses the {@code n}th allocation from now, counted from 1. */
  void refuse(int n) {
    refused = allocations + n;
  }

  int allocations() {
    return allocations;
  }

  int live() {
    return live;
  }

  long liveBytes() {
    return liveBytes;
  }

  @Override public Slab allocate(long bytes, String what) {
    if (++allocations == refused) throw new OutOfDeviceMemory("refused: " + what, null);
    Slab slab = backend.allocate(bytes, what);
    live++;
    liveBytes += bytes;
    return new Counted(slab);
  }

  private final class Counted implements Slab {
    private final Slab slab;

    Counted(Slab slab) {
      this.slab = slab;
    }

    @Override public long bytes() {
      return slab.bytes();
    }

    @Override public long address() {
      return slab.address();
    }

    @Override public MemorySegment host() {
      return slab.host();
    }

    @Override public void close() {
      slab.close();
      live--;
      liveBytes -= bytes();
    }
  }

  @Override public String name() {
    return backend.name();
  }

  @Override public List<KernelSet> kernelSets() {
    return backend.kernelSets();
  }

  @Override public int batchTokens() {
    return backend.batchTokens();
  }

  @Override public void upload(MemorySegment from, long bytes, Span to) {
    backend.upload(from, bytes, to);
  }

  @Override public void download(Span from, MemorySegment to) {
    backend.download(from, to);
  }

  @Override public MemorySegment view(Span span, Arena arena) {
    return backend.view(span, arena);
  }

  @Override public void synchronize() {
    backend.synchronize();
  }

  @Override public Peak measurePeak() {
    return backend.measurePeak();
  }

  @Override public void close() {
    backend.close();
  }
}
