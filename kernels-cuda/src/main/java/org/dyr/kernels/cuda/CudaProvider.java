package org.dyr.kernels.cuda;

import java.util.List;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceProvider;

/** Offers the device {@code cuda}: the first card that the driver shows. */
public final class CudaProvider implements DeviceProvider {

  @Override public String name() {
    return "cuda";
  }

  @Override public List<String> report() {
    Optional<String> why = CudaLibrary.unavailable();
    if (why.isPresent()) return List.of("not taken: " + why.get());
    return List.of(Driver.describe(0), Nvrtc.unavailable().map(no -> "generated: not taken: NVRTC: " + no)
        .orElseGet(() -> "generated: taken: NVRTC " + Nvrtc.version()));
  }

  /** @throws IllegalArgumentException when there is no driver, no card or no library, or the options are the CPU's */
  @Override public Backend open(DeviceOptions options) {
    Optional<String> why = CudaLibrary.unavailable();
    if (why.isPresent()) throw new IllegalArgumentException("device cuda: " + why.get());
    if (!options.kernels().equals(DeviceOptions.AUTO) || !options.cpuFeatures().equals(DeviceOptions.AUTO)) {
      throw new IllegalArgumentException("device cuda: kernel sets and cpu features are chosen on the cpu only");
    }
    return new CudaBackend(options.launching());
  }
}
