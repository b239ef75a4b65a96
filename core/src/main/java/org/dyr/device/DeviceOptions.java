package org.dyr.device;

/**
 * How a device is opened.
 *
 * @param threads worker threads on the CPU, the caller's included
 * @param kernels {@code auto}, or the name of the kernel set that stands on top of the stack
 * @param cpuFeatures {@code auto}, or the instruction set whose kernels are taken where a set has several
 */
public record DeviceOptions(int threads, String kernels, String cpuFeatures) {
  public static final String AUTO = "auto";

  public DeviceOptions {
    if (threads < 1) throw new IllegalArgumentException("threads must be at least 1, not " + threads);
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
