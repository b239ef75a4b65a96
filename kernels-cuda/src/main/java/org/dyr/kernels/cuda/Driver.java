package org.dyr.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.CU_STREAM_CAPTURE_MODE_RELAXED;
import static org.bytedeco.cuda.global.cudart.CU_STREAM_NON_BLOCKING;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.dyr.device.DeviceException;

/**
 * Every function of the driver that is called, and none else: one that a driver lacks would end the process where it is
 * called. Each status is checked where it comes from. A thread must have made the context its own
 * ({@link #makeCurrent}).
 */
final class Driver {
  static final int SUCCESS = 0;
  static final int OUT_OF_MEMORY = 2;

  private static final int MULTIPROCESSORS = 16;
  private static final int COMPUTE_MAJOR = 75;
  private static final int LEAST_MAJOR = 8;
  private static final int COMPUTE_MINOR = 76;
  private static final int SHARED_OPT_IN = 97;
  private static final int NAME_BYTES = 256;

  private static CUctx_st primary;

  private Driver() {}

  /** @throws DeviceException unless the status is 0 */
  static void check(int status) {
    if (status != SUCCESS) throw new DeviceException("CUDA: %s (%d)".formatted(errorName(status), status));
  }

  private static String errorName(int status) {
    try (PointerPointer<BytePointer> name = new PointerPointer<>(1)) {
      if (cudart.cuGetErrorName(status, name) != SUCCESS || name.get() == null) return "a status that the driver does not name";
      return name.get(BytePointer.class).getString();
    }
  }

  /** The CUDA version that the driver knows, {@code 13000}. */
  static int version() {
    int[] version = new int[1];
    check(cudart.cuDriverGetVersion(version));
    return version[0];
  }

  /**
   * The first device's context, which the runtime's launches and cuBLASLt share. They keep what they have loaded into it
   * as long as the process lives, so it is never given back.
   */
  static synchronized CUctx_st context() {
    if (primary == null) {
      check(cudart.cuInit(0));
      CUctx_st made = new CUctx_st();
      check(cudart.cuDevicePrimaryCtxRetain(made, 0));
      primary = made;
    }
    makeCurrent(primary);
    return primary;
  }

  static void makeCurrent(CUctx_st context) {
    check(cudart.cuCtxSetCurrent(context));
  }

  /** {@code NVIDIA H200, sm_90, 132 multiprocessors}. */
  static String describe(int device) {
    check(cudart.cuInit(0));
    byte[] name = new byte[NAME_BYTES];
    check(cudart.cuDeviceGetName(name, name.length, device));
    int end = 0;
    while (end < name.length && name[end] != 0) end++;
    return String.format(Locale.ROOT, "%s, %s, %d multiprocessors", new String(name, 0, end), architecture(device),
        multiprocessors(device));
  }

  /** {@code sm_90}. */
  static String architecture(int device) {
    return "sm_" + attribute(COMPUTE_MAJOR, device) + attribute(COMPUTE_MINOR, device);
  }

  /** Whether it is of the first architecture that our kernels are compiled for, or of a later one. */
  static boolean runsOurKernels(int device) {
    check(cudart.cuInit(0));
    return attribute(COMPUTE_MAJOR, device) >= LEAST_MAJOR;
  }

  static int multiprocessors(int device) {
    return attribute(MULTIPROCESSORS, device);
  }

  /** The shared memory that a block may ask for: 99 KiB on sm_86, 163 on sm_80, 227 on sm_90. */
  static int sharedBytes(int device) {
    return attribute(SHARED_OPT_IN, device);
  }

  private static int attribute(int number, int device) {
    int[] value = new int[1];
    check(cudart.cuDeviceGetAttribute(value, number, device));
    return value[0];
  }

  /** Free bytes, and all. */
  static long[] memory() {
    try (SizeTPointer free = new SizeTPointer(1); SizeTPointer total = new SizeTPointer(1)) {
      check(cudart.cuMemGetInfo(free, total));
      return new long[] {free.get(), total.get()};
    }
  }

  /** The address, or 0 where the memory does not suffice. */
  static long allocate(long bytes) {
    long[] address = new long[1];
    int status = cudart.cuMemAlloc(address, bytes);
    if (status == OUT_OF_MEMORY) return 0;
    check(status);
    return address[0];
  }

  static void free(long address) {
    check(cudart.cuMemFree(address));
  }

  /** Host memory that the device copies from and to by itself. */
  static Pointer allocatePinned(long bytes) {
    Pointer pinned = new Pointer();
    check(cudart.cuMemHostAlloc(pinned, bytes, 0));
    return pinned;
  }

  static void freePinned(Pointer pinned) {
    check(cudart.cuMemFreeHost(pinned));
  }

  static MemorySegment segment(Pointer pinned, long bytes) {
    return MemorySegment.ofAddress(pinned.address()).reinterpret(bytes);
  }

  static void upload(long to, Pointer pinned, long bytes, CUstream_st stream) {
    check(cudart.cuMemcpyHtoDAsync(to, pinned, bytes, stream));
  }

  static void download(Pointer pinned, long from, long bytes, CUstream_st stream) {
    check(cudart.cuMemcpyDtoHAsync(pinned, from, bytes, stream));
  }

  static void copy(long to, long from, long bytes, CUstream_st stream) {
    check(cudart.cuMemcpyDtoDAsync(to, from, bytes, stream));
  }

  static void clear(long address, long bytes, CUstream_st stream) {
    fill(address, 0, bytes, stream);
  }

  /** Every byte as this one. */
  static void fill(long address, int value, long bytes, CUstream_st stream) {
    check(cudart.cuMemsetD8Async(address, (byte) value, bytes, stream));
  }

  /** So many numbers of 16 bits in each row, and so many bytes from one row to the next. */
  static void fill(long address, short value, long rows, long columns, long pitch, CUstream_st stream) {
    check(cudart.cuMemsetD2D16Async(address, pitch, value, columns, rows, stream));
  }

  static CUstream_st createStream() {
    CUstream_st stream = new CUstream_st();
    check(cudart.cuStreamCreate(stream, CU_STREAM_NON_BLOCKING));
    return stream;
  }

  static void destroy(CUstream_st stream) {
    check(cudart.cuStreamDestroy(stream));
  }

  static void synchronize(CUstream_st stream) {
    check(cudart.cuStreamSynchronize(stream));
  }

  static CUevent_st createEvent() {
    CUevent_st event = new CUevent_st();
    check(cudart.cuEventCreate(event, 0));
    return event;
  }

  static void destroy(CUevent_st event) {
    check(cudart.cuEventDestroy(event));
  }

  static void record(CUevent_st event, CUstream_st stream) {
    check(cudart.cuEventRecord(event, stream));
  }

  static void synchronize(CUevent_st event) {
    check(cudart.cuEventSynchronize(event));
  }

  /** From one event to another on the device, both reached. */
  static float milliseconds(CUevent_st from, CUevent_st to) {
    float[] time = new float[1];
    check(cudart.cuEventElapsedTime(time, from, to));
    return time[0];
  }

  /** From here on the stream's work is recorded, not done. */
  static void beginCapture(CUstream_st stream) {
    check(cudart.cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  }

  /** What was recorded, ready to be launched; null where the memory does not suffice for that. */
  static CUgraphExec_st endCapture(CUstream_st stream) {
    CUgraph_st graph = new CUgraph_st();
    check(cudart.cuStreamEndCapture(stream, graph));
    try {
      CUgraphExec_st executable = new CUgraphExec_st();
      int status = cudart.cuGraphInstantiate(executable, graph, 0);
      if (status == OUT_OF_MEMORY) return null;
      check(status);
      return executable;
    } finally {
      check(cudart.cuGraphDestroy(graph));
    }
  }

  /** Ends a capture that failed on its way; the failure is what counts, not the status of this. */
  static void abandonCapture(CUstream_st stream) {
    CUgraph_st graph = new CUgraph_st();
    cudart.cuStreamEndCapture(stream, graph);
    if (!graph.isNull()) cudart.cuGraphDestroy(graph);
  }

  static void launch(CUgraphExec_st graph, CUstream_st stream) {
    check(cudart.cuGraphLaunch(graph, stream));
  }

  static void destroy(CUgraphExec_st graph) {
    check(cudart.cuGraphExecDestroy(graph));
  }

  // Kernels that are compiled at run time.

  /** @param image a cubin */
  static CUmod_st loadModule(byte[] image) {
    CUmod_st module = new CUmod_st();
    try (BytePointer bytes = new BytePointer(image)) {
      check(cudart.cuModuleLoadData(module, bytes));
    }
    return module;
  }

  static CUfunc_st function(CUmod_st module, String name) {
    CUfunc_st function = new CUfunc_st();
    check(cudart.cuModuleGetFunction(function, module, name));
    return function;
  }

  /** @param parameters the address of each */
  static void launch(CUfunc_st function, int blocks, int threads, CUstream_st stream, PointerPointer<?> parameters) {
    check(cudart.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, stream, parameters, (PointerPointer<?>) null));
  }

  static void unload(CUmod_st module) {
    check(cudart.cuModuleUnload(module));
  }
}
