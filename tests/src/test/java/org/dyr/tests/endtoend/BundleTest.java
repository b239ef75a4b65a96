package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.dyr.ranker.bundle.Archive;
import org.dyr.ranker.bundle.Bundle;
import org.dyr.ranker.cli.Main;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code dyr bundle} makes: everything but the archive of a whole bundle, whose compression takes a minute. */
class BundleTest {
  private static final Pattern JDK_MODULE = Pattern.compile("-> ((java|jdk)\\.[\\w.]+)");
  private static final List<String> OF_TESTS = List.of("test-classes", "junit", "opentest4j", "apiguardian",
      "surefire");

  @TempDir Path folder;

  @BeforeEach void bundlesAreMadeHere() {
    try {
      Bundle.requireTools();
    } catch (IOException e) {
      assumeTrue(false, e.getMessage());
    }
  }

  /** The class path of this JVM without what tests bring. */
  private static List<Path> classPath() {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(p -> OF_TESTS.stream().noneMatch(p::contains)).map(Path::of).filter(Files::exists).toList();
  }

  @Test void theModulesOfTheRuntimeAreThoseThatJarsNeed() {
    StringWriter said = new StringWriter();
    String path = classPath().stream().map(Path::toString).filter(p -> !p.endsWith("linux-x86_64.jar"))
        .collect(Collectors.joining(File.pathSeparator));
    ToolProvider.findFirst("jdeps").orElseThrow().run(new PrintWriter(said), new PrintWriter(said), "-s", "-R",
        "--ignore-missing-deps", "--multi-release", "25", "--module-path", path, "--add-modules", "ALL-MODULE-PATH");
    Set<String> needed = JDK_MODULE.matcher(said.toString()).results().map((MatchResult m) -> m.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
    needed.add("jdk.incubator.vector"); // required where it is there: jdeps leaves it out
    assertEquals(new TreeSet<>(Bundle.MODULES), needed, said::toString);
  }

  @Test void anUnpackedBundleRunsWithoutJavaAndEnvironment() throws Exception {
    Path made = folder.resolve("elsewhere/bundle");
    Bundle.assemble(made, classPath());
    Process process = run(made.resolve("dyr").toString(), "info");
    String said = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), said);
    for (String line : List.of("stack ", "device    cuda", "vector: jdk.incubator.vector")) {
      assertTrue(said.contains(line), said);
    }
    Set<String> libraries = new TreeSet<>();
    try (Stream<Path> jars = Files.list(made.resolve("lib"))) {
      for (Path jar : jars.toList()) {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
          zip.stream().map(e -> e.getName()).filter(n -> n.matches(".*\\.(so(\\.\\d+)*|dll|dylib)"))
              .forEach(libraries::add);
        }
      }
    }
    assertTrue(libraries.stream().allMatch(n -> n.toLowerCase().matches(".*/linux[-/]x86_64/.*")), libraries::toString);
    for (String kept : List.of("libjnicudart.so", "libjnicublas.so", "libtokenizers.so",
        "libjniopenblas_nolapack.so")) {
      assertTrue(libraries.stream().anyMatch(n -> n.endsWith("/" + kept)), () -> kept + " is not among " + libraries);
    }
    assertFalse(libraries.stream().anyMatch(n -> n.endsWith("/libjninpps.so")), libraries::toString);
  }

  @Test void anArchiveUnpacksToWhatItWasMadeOf() throws Exception {
    Path made = Files.createDirectories(folder.resolve("bundle/java")).getParent();
    Files.writeString(made.resolve("dyr"), "#!/bin/sh\necho here\n");
    assertTrue(made.resolve("dyr").toFile().setExecutable(true));
    Path archive = folder.resolve("bundle.tar.xz"), to = Files.createDirectory(folder.resolve("to"));
    Archive.write(made, archive);
    Process tar = run("/usr/bin/env", "PATH=/usr/bin:/bin", "tar", "-xf", archive.toString(), "-C", to.toString());
    assertEquals(0, tar.waitFor());
    Process process = run(to.resolve("bundle/dyr").toString());
    assertEquals("here\n", new String(process.getInputStream().readAllBytes()));
  }

  @Test void whatStandsInTheWayIsSaidAndNothingLeftBehind() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    assertEquals("dyr bundle: " + file + ": is a file; --out takes a folder\n", failure("--out", file.toString()));
    String empty = Files.createDirectory(folder.resolve("checkout")).toString();
    assertTrue(failure("--out", folder.toString(), "--with-tests", empty)
        .startsWith("dyr bundle: " + empty + "/tests/target: has no tests packed: run mvn "));
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(Set.of("file", "checkout"), left.map(f -> f.getFileName().toString()).collect(Collectors.toSet()));
    }
  }

  @Test void testsThatAreOlderThanTheirSourcesAreNotTakenAlong() throws IOException {
    Path checkout = folder.resolve("checkout"), target = checkout.resolve("tests/target");
    Path jar = target.resolve("dyr-tests-1-tests.jar"), source = checkout.resolve("tests/src/test/java/SomeTest.java");
    for (Path file : List.of(jar, target.resolve("console/console.jar"), source)) {
      Files.createDirectories(file.getParent());
      Files.createFile(file);
    }
    Files.setLastModifiedTime(jar, FileTime.fromMillis(Files.getLastModifiedTime(source).toMillis() - 1));
    assertEquals("dyr bundle: " + source + ": is newer than " + jar + ": run mvn -DskipTests package in " + checkout
        + " first\n", failure("--out", folder.toString(), "--with-tests", checkout.toString()));
  }

  private static String failure(String... options) {
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine("bundle");
    line.setErr(new PrintWriter(err));
    assertEquals(1, line.execute(Stream.concat(Stream.of("bundle"), Stream.of(options)).toArray(String[]::new)));
    return err.toString();
  }

  private static Process run(String... command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().clear();
    return builder.start();
  }
}
