package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.cpu.CpuProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.KernelSet;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * OpenBLAS is loaded when a product is asked of it, and no sooner; where it does not load, the sets below serve. Each
 * case in a JVM of its own, with JavaCPP's cache in a folder of the test's.
 */
class LibraryLoadingTest {
  private static final Op PRODUCT = new MatMul(false, false);
  private static final Spec[] OPERANDS = {new Spec(Shape.of(8, 8), DType.F32), new Spec(Shape.of(8, 8), DType.F32)};

  @TempDir Path cache;

  /** What the second JVM runs: the words of the arguments in turn. */
  static final class Guest {
    private Guest() {}

    public static void main(String[] args) throws IOException {
      try (Backend cpu = Devices.open("cpu", new DeviceOptions(1, "auto"))) {
        for (String word : args) System.out.println(word + ": " + answer(word, cpu));
      }
    }

    private static String answer(String word, Backend cpu) throws IOException {
      return switch (word) {
        case "stack" -> cpu.kernelSets().stream().map(KernelSet::name).toList().toString();
        case "choice" -> cpu.choose(PRODUCT, OPERANDS).orElseThrow().name();
        case "loaded" -> "" + Files.readString(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1)
            .contains("openblas");
        case "openblas" -> "" + set(cpu).supports(PRODUCT, OPERANDS);
        case "report" -> new CpuProvider().report().stream().filter(line -> line.startsWith("openblas")).findFirst()
            .orElseThrow();
        case "named" -> named();
        default -> throw new IllegalArgumentException(word);
      };
    }

    private static KernelSet set(Backend cpu) {
      return cpu.kernelSets().stream().filter(s -> s.name().equals("openblas")).findFirst().orElseThrow();
    }

    private static String named() {
      try (Backend cpu = Devices.open("cpu", new DeviceOptions(1, "openblas"))) {
        return cpu.choose(PRODUCT, OPERANDS).orElseThrow().name();
      } catch (IllegalArgumentException e) {
        return e.getMessage();
      }
    }
  }

  private List<String> ask(String... words) throws IOException, InterruptedException {
    assumeTrue(Files.isReadable(Path.of("/proc/self/maps")), "tells which libraries are loaded");
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Xmx256m",
        "-Dorg.bytedeco.javacpp.cachedir=" + cache, "-cp", System.getProperty("java.class.path"),
        Guest.class.getName()));
    command.addAll(List.of(words));
    Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), text);
    return text.lines().toList();
  }

  @Test void isLoadedOnceAProductIsAskedOfIt() throws Exception {
    List<String> said = ask("stack", "choice", "loaded", "openblas", "loaded");
    assertTrue(said.get(0).contains("openblas, vector"), said.toString());
    assumeTrue(said.get(1).equals("choice: native"), "the set above takes the product");
    assertEquals(List.of("loaded: false", "openblas: true", "loaded: true"), said.subList(2, 5));
  }

  @Test void aDamagedLibrarySupportsNothingAndIsNoneToBeNamed() throws Exception {
    assertEquals(List.of("openblas: true", "named: openblas"), ask("openblas", "named"));
    List<Path> libraries;
    try (Stream<Path> files = Files.walk(cache)) {
      libraries = files.filter(f -> f.getFileName().toString().contains("openblas_nolapack") && Files.isRegularFile(f))
          .toList();
    }
    for (Path library : libraries) { // in JavaCPP's eyes the same: name, size and time
      FileTime time = Files.getLastModifiedTime(library);
      Files.write(library, new byte[(int) Files.size(library)]);
      Files.setLastModifiedTime(library, time);
    }
    List<String> said = ask("stack", "openblas", "report", "named");
    assertTrue(said.get(0).contains("openblas, vector"), said.toString());
    assertEquals("openblas: false", said.get(1));
    assertTrue(said.get(2).startsWith("report: openblas: not taken: the library does not load"), said.get(2));
    assertTrue(said.get(3).startsWith("named: kernel set 'openblas': the library does not load"), said.get(3));
  }
}
