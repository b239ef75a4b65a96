package org.dyr.device;

/**
 * How a device is opened.
 *
 * @param threads worker threads on the CPU, the caller's included
 * @param kernels {@code auto}, or the name of the kernel set that stands on top of the stack
 * @param cpuFeatures {@code auto}, or the instruction set whose kernels are taken where a set has several
 * @param launching how a program's kernels reach a device that has a stream of its own; the CPU has none
 */
public record DeviceOptions(int threads, String kernels, String cpuFeatures, Launching launching) {
  public static final String AUTO = "auto";

  /** How kernels are launched. */
  public enum Launching {
    /** Recorded once as one piece of work, such as a CUDA graph. */
    RECORDED,
    /** One after another. */
    SINGLE,
    /** One after another, each waited for: a failure shows at the kernel that has it. */
    WAITED
  }

  public DeviceOptions {
    if (threads < 1) throw new IllegalArgumentException("threads must be at least 1, not " + threads);
  }

  /** With programs recorded. */
  public DeviceOptions(int threads, String kernels, String cpuFeatures) {
    this(threads, kernels, cpuFeatures, Launching.RECORDED);
  }

  /** With the widest instruction set. */
  public DeviceOptions(int threads, String kernels) {
    this(threads, kernels, AUTO);
  }

  /** Every processor, every kernel set. */
  public static DeviceOptions defaults() {
    return new DeviceOptions(Runtime.getRuntime().availableProcessors(), AUTO);
  }
}
