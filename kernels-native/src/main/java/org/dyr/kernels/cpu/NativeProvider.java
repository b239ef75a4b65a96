package org.dyr.kernels.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.Loader;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;
import org.dyr.tensor.DType;

/** Offers the kernels of our own in C++, for the widest instruction set that the processor reports. */
public final class NativeProvider implements CpuKernelSetProvider {
  private static final String PLATFORM = "linux-x86_64";

  /** The resource that has the library's name: see NativeBuild. */
  private static final String NAME = PLATFORM + "/name";

  /** Of the loops that measure the peak: some milliseconds. */
  private static final long TURNS = 500_000;

  private static Optional<String> failure;

  @Override public String name() {
    return "native";
  }

  @Override public int preference() {
    return 30;
  }

  @Override public Optional<String> unavailable() {
    synchronized (NativeProvider.class) {
      if (failure == null) failure = load();
      return failure;
    }
  }

  private static Optional<String> load() {
    if (!Loader.Detector.getPlatform().equals(PLATFORM)) {
      return Optional.of("there are C++ kernels for %s only, this is %s".formatted(PLATFORM,
          Loader.Detector.getPlatform()));
    }
    if (NativeCalls.class.getResource(NAME) == null) return Optional.of("built without g++ 10 or newer");
    return Loading.failure(NativeProvider::loadLibrary).or(() ->
        Instructions.reported().isEmpty() ? Optional.of("the processor does not report avx2 and fma")
            : Optional.empty());
  }

  private static void loadLibrary() {
    try (InputStream resource = NativeCalls.class.getResourceAsStream(NAME)) {
      String name = new String(resource.readAllBytes(), StandardCharsets.UTF_8);
      ClassProperties properties = Loader.loadProperties(NativeCalls.class, Loader.loadProperties(), false);
      Loader.loadLibrary(NativeCalls.class, Loader.findLibrary(NativeCalls.class, properties, name, false), name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override public String describe() {
    return "C++ for %s by default, fp32 and bf16, all threads; built for %s, the processor reports %s".formatted(
        Instructions.named(DeviceOptions.AUTO), List.of(Instructions.values()), Instructions.reported());
  }

  @Override public List<String> cpuFeatures() {
    return Instructions.available().stream().map(Instructions::toString).toList();
  }

  /** Of the widest set, whichever the kernels are for. */
  @Override public Optional<PeakLoop> peakLoop() {
    return Optional.of(NativeProvider::multiplyAdds);
  }

  private static long multiplyAdds(DType type) {
    int isa = Instructions.named(DeviceOptions.AUTO).number();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment done = arena.allocate(ValueLayout.JAVA_DOUBLE);
      NativeCalls.multiplyAdds(isa, type == DType.BF16 ? 1 : 0, done.address(), TURNS);
      return (long) done.get(ValueLayout.JAVA_DOUBLE, 0);
    }
  }

  @Override public KernelSet create(Workers workers, DeviceOptions options) {
    return new NativeKernels(Instructions.named(options.cpuFeatures()), workers);
  }
}
