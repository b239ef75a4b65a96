package org.dyr.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.tensor.Spec;

/**
 * An opened device: its memory and its stack of kernel sets. What is launched and copied happens in order; a launch and
 * an upload may return before they are done, a download and a view return what all before them has left.
 */
public interface Backend extends AutoCloseable {

  /** {@code cpu}, {@code cuda:0}. */
  String name();

  /**
   * Allocates zeroed memory.
   *
   * @param what what it is for, named in the error
   * @throws OutOfDeviceMemory when the device refuses, with the request in the message
   */
  Slab allocate(long bytes, String what);

  /** The stack, the preferred set first. */
  List<KernelSet> kernelSets();

  /** The first set that has a kernel for the op. */
  default Optional<KernelSet> choose(Op op, Spec[] in) {
    for (KernelSet set : kernelSets()) if (set.supports(op, in)) return Optional.of(set);
    return Optional.empty();
  }

  /** The layout in which products x W^T here read a weight (N,K) that never changes, where there is one. */
  default Optional<Panels> panels(Spec weight) {
    Spec x = weight.with(1, weight.shape().dim(1));
    return choose(new MatMul(false, true), new Spec[] {x, weight}).flatMap(set -> set.panels(weight));
  }

  /** Whether the host can address this device's memory: {@link Slab#host} gives it. */
  default boolean isHostMemory() {
    return true;
  }

  /** Tokens of a batch that keep all of the device at work; more of them only take more memory. */
  int batchTokens();

  /**
   * The kernels one after another, as one; a device that can record them does. The array stays as it is. Where several
   * threads use the device, kernels are launched by this and by {@link #time} alone.
   */
  default Kernel sequence(Kernel[] kernels) {
    return () -> {
      for (Kernel k : kernels) k.launch();
    };
  }

  /** Copies the first {@code bytes} of host memory to the beginning of the device's; the host's is free when it returns. */
  void upload(MemorySegment from, long bytes, Span to);

  /** Copies all of the device's memory to the beginning of the host's. */
  void download(Span from, MemorySegment to);

  /**
   * As {@link #download}, for what the host does not wait for now, numbers or scores: a device that works on its own
   * returns at once. Both memories stay as they are until the fetch has been awaited.
   */
  default Fetch fetch(Span from, MemorySegment to) {
    download(from, to);
    return Fetch.DONE;
  }

  /**
   * The span's memory as the host reads it: the memory itself where the host can address it, else a copy in the arena.
   */
  MemorySegment view(Span span, Arena arena);

  /** Returns when every kernel launched so far has finished. */
  void synchronize();

  /** Launches the kernel, waits for it, and gives the nanoseconds that it took: by the device's own clock if it has one. */
  default long time(Kernel kernel) {
    long start = System.nanoTime();
    kernel.launch();
    synchronize();
    return System.nanoTime() - start;
  }

  /** Measures the device, once; takes a fraction of a second. */
  Peak measurePeak();

  @Override void close();
}
