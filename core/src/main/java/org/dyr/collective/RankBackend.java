package org.dyr.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.dyr.device.Backend;
import org.dyr.device.Fetch;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;

/**
 * A rank's device: {@link CollectiveKernels} stand on top of its stack. Its programs go kernel by kernel, recorded by no
 * device: in between the ranks meet.
 */
public final class RankBackend implements Backend {
  private final Backend device;
  private final List<KernelSet> sets;

  /**
   * Takes over the device and closes it.
   *
   * @param ranks those that its programs gather from
   */
  public RankBackend(Backend device, Collective ranks) {
    this.device = device;
    List<KernelSet> stack = new ArrayList<>(List.of(new CollectiveKernels(ranks)));
    stack.addAll(device.kernelSets());
    sets = List.copyOf(stack);
  }

  @Override public String name() {
    return device.name();
  }

  @Override public Slab allocate(long bytes, String what) {
    return device.allocate(bytes, what);
  }

  @Override public List<KernelSet> kernelSets() {
    return sets;
  }

  @Override public boolean isHostMemory() {
    return device.isHostMemory();
  }

  @Override public int batchTokens() {
    return device.batchTokens();
  }

  @Override public void upload(MemorySegment from, long bytes, Span to) {
    device.upload(from, bytes, to);
  }

  @Override public void download(Span from, MemorySegment to) {
    device.download(from, to);
  }

  @Override public Fetch fetch(Span from, MemorySegment to) {
    return device.fetch(from, to);
  }

  @Override public MemorySegment view(Span span, Arena arena) {
    return device.view(span, arena);
  }

  @Override public void synchronize() {
    device.synchronize();
  }

  @Override public long time(Kernel kernel) {
    return device.time(kernel);
  }

  @Override public Peak measurePeak() {
    return device.measurePeak();
  }

  @Override public void close() {
    device.close();
  }
}
