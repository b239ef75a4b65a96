package org.dyr.cpu;

import java.util.List;
import java.util.Optional;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;

/** How a module adds kernels to the CPU; found by {@link java.util.ServiceLoader}. */
public interface CpuKernelSetProvider {

  /** The set's name, as {@code --kernels} takes it. */
  String name();

  /** Higher is asked first. Reference is 0, Vector 10, OpenBLAS 20, C++ 30. */
  int preference();

  /**
   * Why the set cannot be used on this machine, as far as that shows at once; empty when it can. Must be cheap and must
   * not throw.
   */
  Optional<String> unavailable();

  /**
   * The same, whatever it takes to know. A set whose library takes long to load may load it no sooner than it is asked
   * for a kernel, and support nothing where that fails; this loads it.
   */
  default Optional<String> unavailableOnceTried() {
    return unavailable();
  }

  /** One line about the set for {@code dyr info}: version, vector width, core. Called only when it was tried. */
  String describe();

  /**
   * Opens the set over the workers of the device.
   *
   * @throws IllegalArgumentException when the options ask of this set what it does not have here
   */
  KernelSet create(Workers workers, DeviceOptions options);

  /**
   * The instruction sets among which {@link DeviceOptions#cpuFeatures} chooses on this machine; none where the set has
   * no choice of them. Called only when available.
   */
  default List<String> cpuFeatures() {
    return List.of();
  }

  /** The loop that measures the processor's peaks, where this set knows one. Called only when available. */
  default Optional<PeakLoop> peakLoop() {
    return Optional.empty();
  }
}
