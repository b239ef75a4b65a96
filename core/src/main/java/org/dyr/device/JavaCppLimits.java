package org.dyr.device;

import java.util.List;
import java.util.Locale;

/**
 * The memory that JavaCPP, the bridge to native libraries, lets a process have. By default its limits follow from Java's
 * heap, outside of which weights, batches and other libraries' memory are: any of its allocations, be it of four bytes,
 * would fail in a process that holds four heaps.
 */
public final class JavaCppLimits {
  /** In bytes, of what JavaCPP has allocated and of the resident memory of the whole process; 0 is none. */
  private static final List<String> LIMITS = List.of("org.bytedeco.javacpp.maxBytes",
      "org.bytedeco.javacpp.maxPhysicalBytes");

  private JavaCppLimits() {}

  /**
   * Lifts them, by system properties; who has set one keeps it. JavaCPP's first pointer reads them for all of the
   * process's life, so whoever loads a library calls this before.
   */
  public static void lift() {
    for (String limit : LIMITS) {
      String set = System.getProperty(limit, System.getProperty(limit.toLowerCase(Locale.ROOT))); // JavaCPP takes both
      if (set == null) System.setProperty(limit, "0");
    }
  }
}
