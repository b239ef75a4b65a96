package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.cpu.CpuProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.KernelSet;
import org.junit.jupiter.api.Test;

/** With the Vector API the set stands above the reference; without it the CPU still opens and says what is missing. */
class VectorProviderTest {

  /** What a second JVM runs: opens the CPU, prints the report and the stack. */
  static final class Guest {
    private Guest() {}

    public static void main(String[] args) {
      new CpuProvider().report().forEach(System.out::println);
      try (Backend backend = Devices.open("cpu", new DeviceOptions(1, "auto"))) {
        System.out.println(backend.kernelSets().stream().map(KernelSet::name).toList());
        System.out.println("peak " + (backend.measurePeak().fp32() > 0));
      }
    }
  }

  private static List<String> java(String... flags) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(flags));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx1g", "-cp", System.getProperty("java.class.path"),
        Guest.class.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), text);
    return text.lines().toList();
  }

  @Test void withTheModule() throws Exception {
    List<String> lines = java("--add-modules=jdk.incubator.vector", "-Ddyr.vector.bits=128");
    assertTrue(lines.contains("vector: jdk.incubator.vector, 128 bits, fp32, all threads"), lines.toString());
    assertTrue(lines.contains("[vector, widening, reference]"), lines.toString());
    assertTrue(lines.contains("peak true"), lines.toString());
  }

  @Test void withoutTheModule() throws Exception {
    List<String> lines = java();
    assertTrue(lines.contains("vector: not taken: the module jdk.incubator.vector is absent; start java with "
        + "--add-modules jdk.incubator.vector"), lines.toString());
    assertTrue(lines.contains("[reference]"), lines.toString());
    assertTrue(lines.contains("peak true"), lines.toString());
  }
}
