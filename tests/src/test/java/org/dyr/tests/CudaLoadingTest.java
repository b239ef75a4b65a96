package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dyr.device.DeviceProvider;
import org.dyr.device.Devices;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the device cuda says where libraries of NVIDIA's are missing, in a JVM of its own over the emulated driver. */
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

  private String report(String... present) throws IOException, InterruptedException {
    Path emulator = Path.of(System.getProperty("dyr.cuda.emulator", "none"));
    for (String library : present) {
      assumeTrue(Files.exists(emulator.resolve(library)), "needs the stand-ins of the emulated device");
      Files.copy(emulator.resolve(library), libraries.resolve(library));
    }
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-cp",
        System.getProperty("java.class.path"), Guest.class.getName()).redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("LD_LIBRARY_PATH", libraries.toString());
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), said);
    assumeFalse(said.contains("built without nvcc"), said);
    assumeTrue(said.startsWith("not taken: "), "this machine has all libraries");
    return said;
  }

  @Test void aLibraryThatIsMissingIsNamedAndWhereItComesFrom() throws Exception {
    assertEquals("not taken: libcublasLt.so.13 is not found: it is of CUDA's toolkit or of Python's wheels, whose "
        + "folder LD_LIBRARY_PATH names", report("libcuda.so.1", "libcudart.so.13", "libcublas.so.13"));
  }
}
