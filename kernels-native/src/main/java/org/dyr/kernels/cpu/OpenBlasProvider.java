package org.dyr.kernels.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.Workers;
import org.dyr.device.DeviceOptions;
import org.dyr.device.KernelSet;

/** Offers OpenBLAS, from the bytedeco preset. */
public final class OpenBlasProvider implements CpuKernelSetProvider {
  /** Variables by which the environment overrules what OpenBLAS finds out about the processor. */
  private static final List<String> NARROWING = List.of("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE",
      "OPENBLAS_NUM_THREADS");

  private static Optional<String> failure;

  @Override public String name() {
    return "openblas";
  }

  @Override public int preference() {
    return 20;
  }

  /** Without loading the library, which takes a tenth of a second: whether there is one for this platform. */
  @Override public Optional<String> unavailable() {
    synchronized (OpenBlasProvider.class) {
      if (failure != null) return failure;
    }
    String library = Loader.Detector.getPlatform() + "/" + System.mapLibraryName("jniopenblas_nolapack");
    boolean here = OpenBlasProvider.class.getResource("/org/bytedeco/openblas/" + library) != null;
    return here ? Optional.empty() : Optional.of("there is no " + library + " on the class path");
  }

  @Override public Optional<String> unavailableOnceTried() {
    return loadingFailure();
  }

  /** Why the library does not load, empty when it does. The first call loads it. */
  static synchronized Optional<String> loadingFailure() {
    if (failure == null) failure = Loading.failure(OpenBlasLibrary::load);
    return failure;
  }

  @Override public String describe() {
    List<String> set = new ArrayList<>();
    for (String variable : NARROWING) {
      if (System.getenv(variable) != null) set.add(variable + "=" + System.getenv(variable));
    }
    return "matrix products; core " + OpenBlasLibrary.core() + ", "
        + OpenBlasLibrary.config()
        + (set.isEmpty() ? "" : "; WARNING: " + String.join(" ", set)
            + " in the environment overrules what it finds: unset it");
  }

  @Override public KernelSet create(Workers workers, DeviceOptions options) {
    return new OpenBlas(workers);
  }
}
