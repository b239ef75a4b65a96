package org.dyr.kernels.cpu;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The loading of a native library as a reason that {@code dyr info} can show. */
final class Loading {
  /** JavaCPP's limits, in bytes, of what it has allocated and of the resident memory of the whole process. */
  private static final List<String> LIMITS = List.of("org.bytedeco.javacpp.maxBytes",
      "org.bytedeco.javacpp.maxPhysicalBytes");

  private Loading() {}

  /**
   * Why the library does not load, empty when it does. Whatever keeps it from loading (another platform, a missing
   * library beneath it, no room to extract it to), the other kernel sets serve.
   */
  static Optional<String> failure(Runnable load) {
    liftLimits();
    try {
      load.run();
      return Optional.empty();
    } catch (LinkageError | RuntimeException e) {
      String said = String.valueOf(e.getMessage() == null ? e : e.getMessage()).lines().findFirst().orElse("");
      return Optional.of("the library does not load: " + said
          + (e.getCause() == null ? "" : " (" + e.getCause().getMessage() + ")"));
    }
  }

  /**
   * JavaCPP's first pointer reads the limits for all of the process's life, and by default they follow from Java's heap,
   * outside of which weights and activations are. Nothing allocates through it here, but the device cuda may later. Who
   * has set a limit keeps it.
   */
  private static void liftLimits() {
    for (String limit : LIMITS) {
      String set = System.getProperty(limit, System.getProperty(limit.toLowerCase(Locale.ROOT))); // JavaCPP takes both
      if (set == null) System.setProperty(limit, "0");
    }
  }
}
