package org.dyr.ranker.cli;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.dyr.ranker.train.ComputeType;
import picocli.CommandLine;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceOptions.Launching;
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

  /** The short names of the compute types; the configuration's own are taken too. */
  static final class ComputeNames implements Iterable<String>, CommandLine.ITypeConverter<ComputeType> {
    private static final Map<String, ComputeType> SHORT =
        new TreeMap<>(Map.of("fp32", ComputeType.FLOAT32, "bf16", ComputeType.BFLOAT16, "fp16", ComputeType.FLOAT16));

    @Override public Iterator<String> iterator() {
      return SHORT.keySet().iterator();
    }

    @Override public ComputeType convert(String text) {
      ComputeType named = SHORT.get(text.toLowerCase(Locale.ROOT));
      if (named != null) return named;
      for (ComputeType t : ComputeType.values()) if (t.text().equalsIgnoreCase(text)) return t;
      throw new CommandLine.TypeConversionException("one of %s, not %s".formatted(SHORT.keySet(), text));
    }
  }

  /** {@code on} or {@code off}: how programs are launched. */
  static final class Graphs implements CommandLine.ITypeConverter<Launching> {
    @Override public Launching convert(String text) {
      return switch (text) {
        case "on" -> Launching.RECORDED;
        case "off" -> Launching.SINGLE;
        default -> throw new CommandLine.TypeConversionException("on or off, not " + text);
      };
    }
  }

  @Spec(Spec.Target.MIXEE) private CommandSpec command;

  @Option(names = "--device", paramLabel = "NAME", description = "Device to compute on: cpu or cuda (cpu).")
  private String device;

  @Option(names = "--kernels", paramLabel = "SET",
      description = "Kernel set asked first: ${COMPLETION-CANDIDATES} (auto).")
  private Kernels kernels;

  @Option(names = "--cpu-features", paramLabel = "SET",
      description = "Instruction set of the native kernels: ${COMPLETION-CANDIDATES} (auto: the widest reported).")
  private CpuFeatures cpuFeatures;

  @Option(names = "--cuda-graphs", paramLabel = "on|off", converter = Graphs.class,
      description = "Record a program once and launch it as one graph on CUDA (on).")
  private Launching graphs;

  @Option(names = "--sync", description = "Wait for every kernel: a failure names the one that has it; slow.")
  private boolean sync;

  private Integer threads;

  @Option(names = "--compute", paramLabel = "TYPE", completionCandidates = ComputeNames.class,
      converter = ComputeNames.class,
      description = "Type that the encoder computes in; training keeps fp32 weights: ${COMPLETION-CANDIDATES} (fp32).")
  private ComputeType compute;

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
    return new DeviceOptions(threads(), kernels(), cpuFeatures(), launching());
  }

  private Launching launching() {
    if (sync) return Launching.WAITED;
    return graphs == null ? Launching.RECORDED : graphs;
  }

  /** Threads of the device, the caller's included: at least 1. */
  int threads() {
    return threads == null || threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
  }

  /** The type that the encoder computes in. */
  ComputeType compute() {
    return compute == null ? ComputeType.FLOAT32 : compute;
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
    if (sync || graphs != null) given.put("launching", launching().name().toLowerCase(Locale.ROOT));
    if (threads != null) given.put("threads", threads.toString());
    if (compute != null) given.put("compute_type", compute.text());
    if (seed != null) given.put("seed", seed.toString());
    return given;
  }
}
