package org.dyr.device;

/**
 * How a device is opened.
 *
 * @param threads worker threads on the CPU, the caller's included
 * @param kernels {@code auto}, or the name of the kernel set that stands on top of the stack
 */
public record DeviceOptions(int threads, String kernels) {

  public DeviceOptions {
    if (threads < 1) throw new IllegalArgumentException("threads must be at least 1, not " + threads);
  }

  /** Every processor, every kernel set. */
  public static DeviceOptions defaults() {
    return new DeviceOptions(Runtime.getRuntime().availableProcessors(), "auto");
  }
}
