package org.dyr.kernels.cpu;

import java.util.Optional;
import org.dyr.device.JavaCppLimits;

/** The loading of a native library as a reason that {@code dyr info} can show. */
final class Loading {
  private Loading() {}

  /**
   * Why the library does not load, empty when it does. Whatever keeps it from loading (another platform, a missing
   * library beneath it, no room to extract it to), the other kernel sets serve.
   */
  static Optional<String> failure(Runnable load) {
    JavaCppLimits.lift(); // nothing allocates through JavaCPP here, but the device cuda may later
    try {
      load.run();
      return Optional.empty();
    } catch (LinkageError | RuntimeException e) {
      String said = String.valueOf(e.getMessage() == null ? e : e.getMessage()).lines().findFirst().orElse("");
      return Optional.of("the library does not load: " + said
          + (e.getCause() == null ? "" : " (" + e.getCause().getMessage() + ")"));
    }
  }
}
