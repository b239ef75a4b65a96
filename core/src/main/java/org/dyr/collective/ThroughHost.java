package org.dyr.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.tensor.DType;

/**
 * A rank on a device whose memory the host cannot address: what it gives comes down, the ranks meet in host memory, what
 * it gets goes up. Bound by the copies: each call moves all that it gives and all that it gets once. The host memory
 * grows to the largest call and stays.
 */
public final class ThroughHost implements Collective {
  private final Collective ranks;
  private final Backend device;
  private final Copy given = new Copy();
  private final Copy got = new Copy();

  private ThroughHost(Collective ranks, Backend device) {
    this.ranks = ranks;
    this.device = device;
  }

  /** The rank, whose spans are this device's: itself where the host can address them, or where it is alone. */
  public static Collective of(Collective ranks, Backend device) {
    return device.isHostMemory() || ranks.size() == 1 ? ranks : new ThroughHost(ranks, device);
  }

  /** Host memory in place of a span of the device's. */
  private static final class Copy implements Slab {
    private MemorySegment memory = MemorySegment.NULL;

    Span of(long bytes) {
      if (bytes > memory.byteSize()) memory = Arena.ofAuto().allocate(bytes, 64);
      return span(0, bytes);
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
      memory = MemorySegment.NULL;
    }
  }

  private Span down(Span from) {
    Span copy = given.of(from.bytes());
    device.download(from, copy.segment());
    return copy;
  }

  private void up(Span copy, Span to) {
    device.upload(copy.segment(), copy.bytes(), to);
  }

  @Override public int rank() {
    return ranks.rank();
  }

  @Override public int size() {
    return ranks.size();
  }

  @Override public void allGather(Span from, Span to) {
    Span all = got.of(to.bytes());
    ranks.allGather(down(from), all);
    up(all, to);
  }

  @Override public void own(Span all, Span mine) {
    up(down(Spans.part(all, mine, rank(), size())), mine);
  }

  @Override public void allReduce(Span from, Span to, DType type) {
    Span sum = got.of(to.bytes());
    ranks.allReduce(down(from), sum, type);
    up(sum, to);
  }

  @Override public double sum(double value) {
    return ranks.sum(value);
  }

  @Override public Collective split(int color) {
    return of(ranks.split(color), device);
  }
}
