package org.dyr.cpu.vector;

import java.util.Optional;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;

/**
 * Offers the vector kernels where the Vector API is there. It is an incubator module that must be asked for, so nothing
 * in this class may touch it before {@link #unavailable} has said that it is present.
 */
public final class VectorProvider implements CpuKernelSetProvider {
  private static final String MODULE = "jdk.incubator.vector";

  @Override public String name() {
    return "vector";
  }

  @Override public int preference() {
    return 10;
  }

  @Override public Optional<String> unavailable() {
    return ModuleLayer.boot().findModule(MODULE).isPresent() ? Optional.empty()
        : Optional.of("the module %s is absent; start java with --add-modules %s".formatted(MODULE, MODULE));
  }

  @Override public String describe() {
    return "jdk.incubator.vector, %d bits, fp32, all threads".formatted(8 * Lanes.BYTES);
  }

  @Override public KernelSet create(Workers workers, DeviceOptions options) {
    return new VectorKernels(workers);
  }

  @Override public Optional<PeakLoop> peakLoop() {
    return Optional.of(_ -> PeakVector.run());
  }
}
