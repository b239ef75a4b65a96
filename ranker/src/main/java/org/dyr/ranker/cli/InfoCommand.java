package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.dyr.device.Backend;
import org.dyr.device.DeviceProvider;
import org.dyr.device.Devices;
import org.dyr.device.KernelSet;
import org.dyr.device.Peak;
import org.dyr.graph.Fusion;
import org.dyr.graph.Fusions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dyr info}: what this machine has and what is made of it. */
@Command(name = "info", sortOptions = false,
    description = "Shows the JVM, the processor, the devices, and which kernel sets were taken and why.")
final class InfoCommand implements Callable<Integer> {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");
  private static final Set<String> FEATURES = Set.of("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl",
      "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "sve");

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--peak", description = "Measure multiply-add rate and memory bandwidth too (about a second).")
  private boolean peak;

  @Override public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    out.println("java      %s, %s, %s".formatted(Runtime.version(), System.getProperty("java.vm.name"),
        System.getProperty("java.vendor")));
    out.println("system    %s %s %s, %d processors, heap up to %,d MiB".formatted(System.getProperty("os.name"),
        System.getProperty("os.version"), System.getProperty("os.arch"), Runtime.getRuntime().availableProcessors(),
        Runtime.getRuntime().maxMemory() >> 20));
    if (Files.isReadable(CPU_INFO)) {
      List<String> lines = Files.readAllLines(CPU_INFO);
      out.println("processor " + value(lines, "model name"));
      Set<String> has = new TreeSet<>(List.of(value(lines, "flags").split(" ")));
      has.retainAll(FEATURES);
      out.println("features  " + String.join(" ", has));
    }
    for (DeviceProvider p : Devices.providers()) {
      out.println("device    " + p.name());
      for (String line : p.report()) out.println("  " + line);
    }
    out.flush(); // told whatever the device does next
    try (Backend backend = Devices.open(common.device(), common.deviceOptions())) {
      out.println("stack     " + String.join(", then ", backend.kernelSets().stream().map(KernelSet::name).toList())
          + "; %d threads, cpu features %s".formatted(common.threads(), common.cpuFeatures()));
      out.println("fusions   " + String.join(", ", Fusions.table().stream().map(Fusion::name).toList()));
      if (peak) {
        out.flush();
        Peak p = backend.measurePeak();
        out.println(String.format(Locale.ROOT,
            "peak      %.0f GFLOP/s fp32 multiply-add, %.0f bf16, %.1f GB/s copied", p.fp32() / 1e9, p.bf16() / 1e9,
            p.bytes() / 1e9));
      }
    }
    return 0;
  }

  private static String value(List<String> lines, String key) {
    return lines.stream().filter(l -> l.startsWith(key)).map(l -> l.substring(l.indexOf(':') + 1).strip()).findFirst()
        .orElse("unknown");
  }
}
