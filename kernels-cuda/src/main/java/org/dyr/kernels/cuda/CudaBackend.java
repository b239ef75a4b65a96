package org.dyr.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions.Launching;
import org.dyr.device.Fetch;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.io.CacheFolder;

/**
 * One card: its memory, and one stream on which everything goes in order. Uploads pass through pinned memory ({@link
 * Staging}): the caller's memory is free as soon as {@code upload} returns, and the host gets several batches ahead of
 * the card. Downloads wait for what was launched before them.
 */
final class CudaBackend implements Backend {
  private static final int BATCH_TOKENS = 32_768;

  /** Algorithms that are tried for a product. */
  private static final int ALGORITHMS = 8;

  private final CUctx_st context = Driver.context();
  private final CUstream_st stream = Driver.createStream();
  private final Staging staging = new Staging(stream);
  private final Map<Slab, String> held = new LinkedHashMap<>();
  private final CublasLtKernels products;
  private final GeneratedKernels generated = new GeneratedKernels(context, stream);
  private final List<KernelSet> sets;
  private final Fetches fetches = new Fetches();
  private final Launching launching;

  CudaBackend(Launching launching) {
    this.launching = launching;
    int algorithms = CudaLibrary.isEmulated() ? 1 : ALGORITHMS;
    products = new CublasLtKernels(context, stream, this, algorithms, CacheFolder.path());
    List<KernelSet> stack = List.of(products, new CudaKernels(stream.address()), generated);
    sets = launching != Launching.WAITED ? stack
        : stack.stream().<KernelSet>map(set -> new WaitedKernels(set, () -> Driver.synchronize(stream))).toList();
  }

  @Override public String name() {
    return "cuda:0";
  }

  @Override public synchronized Slab allocate(long bytes, String what) {
    Driver.makeCurrent(context);
    long address = Driver.allocate(Math.max(1, bytes));
    if (address == 0) throw new OutOfDeviceMemory(refusal(bytes, what), null);
    CudaSlab slab = new CudaSlab(this, address, bytes);
    held.put(slab, what);
    Driver.clear(address, Math.max(1, bytes), stream);
    return slab;
  }

  private String refusal(long bytes, String what) {
    Map<String, Long> sums = new LinkedHashMap<>();
    held.forEach((slab, of) -> sums.merge(of, slab.bytes(), Long::sum));
    StringBuilder list = new StringBuilder();
    sums.forEach((of, sum) -> list.append(list.isEmpty() ? "" : ", ").append("%s %,d".formatted(of, sum)));
    long[] memory = Driver.memory();
    return ("%s: %,d bytes for the %s were refused; held: %s; free: %,d of %,d. A smaller token budget, recompute or a "
        + "larger number of accumulated micro-batches need less").formatted(name(), bytes, what,
        list.isEmpty() ? "nothing" : list, memory[0], memory[1]);
  }

  synchronized void free(CudaSlab slab) {
    Driver.makeCurrent(context);
    Driver.synchronize(stream);
    held.remove(slab);
    Driver.free(slab.address());
  }

  @Override public List<KernelSet> kernelSets() {
    return sets;
  }

  @Override public Kernel sequence(Kernel[] kernels) {
    if (launching == Launching.RECORDED) return new RecordedKernels(kernels, context, stream, this);
    return () -> {
      Driver.makeCurrent(context);
      for (Kernel k : kernels) k.launch();
    };
  }

  @Override public boolean isHostMemory() {
    return false;
  }

  @Override public int batchTokens() {
    return BATCH_TOKENS;
  }

  @Override public synchronized void upload(MemorySegment from, long bytes, Span to) {
    if (bytes > to.bytes()) {
      throw new IndexOutOfBoundsException("%s: %d bytes do not fit a span of %d".formatted(name(), bytes, to.bytes()));
    }
    Driver.makeCurrent(context);
    staging.upload(from, bytes, to.address());
  }

  @Override public synchronized void download(Span from, MemorySegment to) {
    Driver.makeCurrent(context);
    staging.download(from.address(), from.bytes(), to);
  }

  @Override public synchronized Fetch fetch(Span from, MemorySegment to) {
    Driver.makeCurrent(context);
    Fetch fetch = fetches.begin(from, to, stream);
    return () -> {
      Driver.makeCurrent(context);
      fetch.await();
    };
  }

  @Override public MemorySegment view(Span span, Arena arena) {
    MemorySegment copy = arena.allocate(span.bytes(), Long.BYTES);
    download(span, copy);
    return copy;
  }

  @Override public synchronized void synchronize() {
    Driver.makeCurrent(context);
    Driver.synchronize(stream);
  }

  @Override public synchronized long time(Kernel kernel) {
    Driver.makeCurrent(context);
    return Math.round(1e6 * Stopwatch.milliseconds(stream, kernel));
  }

  @Override public synchronized Peak measurePeak() {
    Driver.makeCurrent(context);
    boolean small = CudaLibrary.isEmulated();
    return new CudaPeak(this, products, stream, small ? 64 : 8192, small ? 1 << 20 : 1 << 30).measure();
  }

  @Override public synchronized void close() {
    Driver.makeCurrent(context);
    Driver.synchronize(stream);
    staging.close();
    fetches.close();
    products.close();
    generated.close();
    Driver.destroy(stream);
  }
}
