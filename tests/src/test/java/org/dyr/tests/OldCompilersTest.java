package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a compiler is older than the kernels need, the native parts of the build say so and leave them out. */
class OldCompilersTest {

  @TempDir Path folder;

  @BeforeEach void makeCompilers() throws IOException {
    compiler("g++", "9");
    compiler("nvcc", "Cuda compilation tools, release 12.0, V12.0.140");
  }

  /** A program that says its version, and that alone. */
  private void compiler(String name, String version) throws IOException {
    Path file = Files.writeString(folder.resolve(name), "#!/bin/sh\necho '" + version + "'\n");
    assertTrue(file.toFile().setExecutable(true));
  }

  /** What the part of the build prints for a module without anything in it. */
  private String build(String part) throws IOException, InterruptedException {
    Path source = Path.of("..").resolve(part);
    assumeTrue(Files.exists(source), "needs the checkout");
    assumeTrue(System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64"),
        "there are native kernels for 64-bit Linux on x86 only");
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
        System.getProperty("java.class.path"), source.toString(), folder.resolve("module").toString());
    builder.environment().put("PATH", folder.toString());
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  @Test void theKernelsOfTheCpuAreLeftOut() throws Exception {
    assertEquals("native kernels: skipped, g++ is 9, 10 is needed",
        build("kernels-native/src/build/NativeBuild.java"));
  }

  @Test void theKernelsOfACardAreLeftOut() throws Exception {
    assertEquals("""
        CUDA kernels: skipped, nvcc is 12.0, 13.0 is needed
        emulated CUDA device: skipped, g++ is 9, 10 is needed""", build("kernels-cuda/src/build/CudaBuild.java"));
  }
}
