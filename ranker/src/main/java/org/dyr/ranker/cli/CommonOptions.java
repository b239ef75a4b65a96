package org.dyr.ranker.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.dyr.device.DeviceOptions;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that every command has. Taken in with {@code @Mixin}. */
final class CommonOptions {

  /** A kernel set that --kernels can name. */
  enum Kernels {
    AUTO, REFERENCE, VECTOR, OPENBLAS, NATIVE;

    @Override public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** An instruction set that --cpu-features can name. */
  enum CpuFeatures {
    AUTO, AVX2, AVX512, AVX512BF16;

    @Override public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Spec(Spec.Target.MIXEE) private CommandSpec command;

  @Option(names = "--device", paramLabel = "NAME", description = "Device to compute on (cpu).")
  private String device;

  @Option(names = "--kernels", paramLabel = "SET",
      description = "Kernel set asked first: ${COMPLETION-CANDIDATES} (auto).")
  private Kernels kernels;

  @Option(names = "--cpu-features", paramLabel = "SET",
      description = "Instruction set of the native kernels: ${COMPLETION-CANDIDATES} (auto: the widest reported).")
  private CpuFeatures cpuFeatures;

  private Integer threads;

  @Option(names = "--seed", paramLabel = "N", description = "All that is random follows from it (42).")
  private Long seed;

  @Option(names = "--verbose", description = "Say more; show the stack trace of a failure.")
  private boolean verbose;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
  private boolean help;

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the device (0: one a processor).")
  private void setThreads(int count) {
    if (count < 0) throw new ParameterException(command.commandLine(), "--threads must be at least 0, not " + count);
    threads = count;
  }

  /** The device's name. */
  String device() {
    return device == null ? "cpu" : device;
  }

  /** The name of the kernel set asked first, or auto. */
  String kernels() {
    return (kernels == null ? Kernels.AUTO : kernels).toString();
  }

  /** The name of the native kernels' instruction set, or auto. */
  String cpuFeatures() {
    return (cpuFeatures == null ? CpuFeatures.AUTO : cpuFeatures).toString();
  }

  /** How the device is opened. */
  DeviceOptions deviceOptions() {
    return new DeviceOptions(threads(), kernels(), cpuFeatures());
  }

  /** Threads of the device, the caller's included: at least 1. */
  int threads() {
    return threads == null || threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
  }

  long seed() {
    return seed == null ? 42 : seed;
  }

  boolean verbose() {
    return verbose;
  }

  /** The options that were given, as overrides of a training configuration: key to text. */
  Map<String, String> overrides() {
    Map<String, String> given = new LinkedHashMap<>();
    if (device != null) given.put("device", device);
    if (kernels != null) given.put("kernels", kernels.toString());
    if (cpuFeatures != null) given.put("cpu_features", cpuFeatures.toString());
    if (threads != null) given.put("threads", threads.toString());
    if (seed != null) given.put("seed", seed.toString());
    return given;
  }
}
