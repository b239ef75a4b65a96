package org.dyr.kernels.cpu;

import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.dyr.device.DeviceOptions;

/**
 * The instruction sets that the C++ kernels are compiled for, the widest last. Touched only once the library is loaded.
 */
enum Instructions {
  AVX2, AVX512, AVX512BF16;

  /**
   * For tests: offers sets too that the processor does not report and yet executes, as a guarded try shows. Such a try
   * replaces the process's handler of illegal instructions for a moment.
   */
  static final String FORCE = "dyr.cpu.features.force";

  private static List<Instructions> executed;

  /** As {@code --cpu-features} has it. */
  @Override public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The number by which native code knows it. */
  int number() {
    return ordinal();
  }

  /** Those that the processor reports and whose registers the system saves, the widest last. */
  static List<Instructions> reported() {
    int bits = NativeCalls.reported();
    return Stream.of(values()).filter(i -> (bits >> i.ordinal() & 1) == 1).toList();
  }

  /** Those that can be named: the reported ones, with {@link #FORCE} the executed ones. */
  static synchronized List<Instructions> available() {
    if (!Boolean.getBoolean(FORCE)) return reported();
    if (executed == null) executed = Stream.of(values()).filter(i -> NativeCalls.executes(i.ordinal())).toList();
    return executed;
  }

  /**
   * The set that the name stands for; auto is the widest reported one.
   *
   * @throws IllegalArgumentException when there is none, or the processor does not report it
   */
  static Instructions named(String features) {
    if (features.equals(DeviceOptions.AUTO)) return reported().getLast();
    for (Instructions i : values()) {
      if (!i.toString().equals(features)) continue;
      if (available().contains(i)) return i;
      throw new IllegalArgumentException("cpu features %s: this processor reports %s only".formatted(features,
          reported()));
    }
    throw new IllegalArgumentException("no cpu features '%s'; there are auto and %s".formatted(features,
        List.of(values())));
  }
}
