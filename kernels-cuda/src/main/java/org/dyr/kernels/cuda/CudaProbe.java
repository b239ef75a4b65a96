package org.dyr.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * Whether there is a CUDA driver with a card, asked of the driver itself: a binding would fail to load without one.
 */
final class CudaProbe {
  /** CUDA 13.0: what the kernels are compiled with. */
  private static final int LEAST_DRIVER = 13000;
  private static final FunctionDescriptor TAKES_INT = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
  private static final FunctionDescriptor FILLS_INT = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS);

  private CudaProbe() {}

  /** Why CUDA cannot be used here; empty when it can. */
  static Optional<String> unavailable() {
    SymbolLookup driver;
    try {
      driver = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
    } catch (IllegalArgumentException e) {
      return Optional.of("no NVIDIA driver (libcuda.so.1 is not found)");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment number = arena.allocate(ValueLayout.JAVA_INT);
      int status = (int) Linker.nativeLinker().downcallHandle(driver.findOrThrow("cuInit"), TAKES_INT).invokeExact(0);
      if (status != 0) return Optional.of("the NVIDIA driver does not start: cuInit answers " + status);
      int version = ask(driver, "cuDriverGetVersion", number);
      if (version < LEAST_DRIVER) {
        return Optional.of("the NVIDIA driver knows CUDA up to %d.%d, and %d.%d is needed: a newer driver helps".formatted(
            version / 1000, version % 1000 / 10, LEAST_DRIVER / 1000, LEAST_DRIVER % 1000 / 10));
      }
      return ask(driver, "cuDeviceGetCount", number) > 0 ? Optional.empty()
          : Optional.of("the NVIDIA driver sees no card");
    } catch (Throwable e) {
      return Optional.of("the NVIDIA driver cannot be asked: " + e);
    }
  }

  private static int ask(SymbolLookup driver, String function, MemorySegment number) throws Throwable {
    int status = (int) Linker.nativeLinker().downcallHandle(driver.findOrThrow(function), FILLS_INT).invokeExact(number);
    if (status != 0) throw new IllegalStateException(function + " answers " + status);
    return number.get(ValueLayout.JAVA_INT, 0);
  }
}
