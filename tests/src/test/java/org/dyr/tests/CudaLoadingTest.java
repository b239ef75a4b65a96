package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceProvider;
import org.dyr.device.Devices;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the device cuda says where libraries of NVIDIA's are missing, and what of the process it must not depend on, in a
 * JVM of its own over the emulated driver.
 */
class CudaLoadingTest {

  @TempDir Path libraries;

  /** What the second JVM runs. */
  static final class Guest {
    private Guest() {}

    public static void main(String[] args) {
      for (DeviceProvider p : Devices.providers()) {
        if (p.name().equals("cuda")) System.out.println(p.report().getFirst());
      }
    }
  }

  /** Asks for a product beside more memory than JavaCPP by itself lets a process of such a heap have. */
  static final class Crowded {
    private Crowded() {}

    public static void main(String[] args) {
      Arena.global().allocate(5 * Runtime.getRuntime().maxMemory()).fill((byte) 1);
      Spec square = Spec.of(DType.F32, 16, 16);
      try (Backend backend = Devices.open("cuda", DeviceOptions.defaults())) {
        System.out.println(backend.choose(new MatMul(false, false), new Spec[] {square, square}).orElseThrow().name());
      }
    }
  }

  private static final Path EMULATOR = Path.of(System.getProperty("dyr.cuda.emulator", "none"));

  /** What the guest prints, which ends by itself. */
  private String run(Class<?> guest, String... options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), guest.getName()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("LD_LIBRARY_PATH", libraries.toString());
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  private String report(String... present) throws IOException, InterruptedException {
    for (String library : present) {
      assumeTrue(Files.exists(EMULATOR.resolve(library)), "needs the stand-ins of the emulated device");
      Files.copy(EMULATOR.resolve(library), libraries.resolve(library));
    }
    String said = run(Guest.class, "-Xmx256m");
    assumeFalse(said.contains("built without nvcc"), said);
    assumeTrue(said.startsWith("not taken: "), "this machine has all libraries");
    return said;
  }

  @Test void aLibraryThatIsMissingIsNamedAndWhereItComesFrom() throws Exception {
    assertEquals("not taken: libcublasLt.so.13 is not found: it is of CUDA's toolkit or of Python's wheels, whose "
        + "folder LD_LIBRARY_PATH names", report("libcuda.so.1", "libcudart.so.13", "libcublas.so.13"));
  }

  @Test void theMemoryThatTheProcessHoldsIsNoReasonToFail() throws Exception {
    assumeTrue(Files.exists(EMULATOR.resolve("libcuda.so.1")), "needs the emulated device");
    assertEquals("cublaslt", run(Crowded.class, "-Xmx24m", "-XX:+UseSerialGC", "-Ddyr.cuda.emulator=" + EMULATOR));
  }
}
