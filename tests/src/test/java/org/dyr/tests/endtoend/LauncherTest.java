package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The scripts dyr and bench, called through relative links from another folder while CDPATH is exported, all in folders
 * with blanks. The checkout has nothing but the scripts, Maven builds nothing, and Java says where it runs and with what.
 */
class LauncherTest {
  private static final Path CHECKOUT = Path.of("..");

  @TempDir Path folder;

  private Path checkout;
  private Path user;

  @BeforeEach void make() throws IOException {
    checkout = Files.createDirectory(folder.toRealPath().resolve("a checkout"));
    Path links = Files.createDirectories(folder.toRealPath().resolve("a user/links"));
    user = links.getParent();
    for (String name : List.of("dyr", "bench", "pom.xml")) {
      assumeTrue(Files.exists(CHECKOUT.resolve(name)), "needs the checkout");
      Path copy = Files.copy(CHECKOUT.resolve(name), checkout.resolve(name));
      Files.createSymbolicLink(links.resolve(name), links.relativize(copy));
    }
    program("a jdk/bin/java", "case \"$*\" in *rehearse) exit 1 ;; esac\npwd\nprintf '%s\\n' \"$@\"");
    program("a jdk/bin/javac", "");
    program("programs/mvn", "");
    Files.writeString(folder.resolve("a jdk/release"), "JAVA_VERSION=\"25\"\n");
  }

  private void program(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "#!/bin/sh\n" + text + "\n");
    assertTrue(file.toFile().setExecutable(true));
  }

  /** What Java prints: the folder that it runs in, and its arguments, a line each. */
  private List<String> run(String... command) throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of("/bin/sh"));
    words.addAll(List.of(command));
    Path said = folder.resolve("said");
    ProcessBuilder builder = new ProcessBuilder(words).directory(user.toFile()).redirectError(said.toFile());
    builder.environment().clear();
    builder.environment().put("PATH", folder.resolve("programs") + ":/usr/bin:/bin");
    builder.environment().put("JAVA_HOME", folder.resolve("a jdk").toString());
    builder.environment().put("CDPATH", user.toString());
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), () -> {
      try {
        return Files.readString(said);
      } catch (IOException e) {
        return e.toString();
      }
    });
    return out.lines().toList();
  }

  private void assertRuns(List<String> said, String classPath, String... last) {
    assertEquals(user.toString(), said.getFirst());
    assertEquals(Stream.concat(Stream.of("-cp", classPath), Stream.of(last)).toList(),
        said.subList(said.size() - last.length - 2, said.size()));
  }

  @Test void dyrFindsItsCheckoutAndRunsWhereTheUserIs() throws Exception {
    String target = checkout + "/ranker/target";
    assertRuns(run("links/dyr", "info", "--device", "cpu"), target + "/dyr-ranker-0.1.0.jar:" + target + "/lib/*",
        "org.dyr.ranker.cli.Main", "info", "--device", "cpu");
  }

  @Test void benchFindsItsCheckoutAndTakesTheUsersPaths() throws Exception {
    String target = checkout + "/benchmarks/target", classPath = target + "/classes:" + target + "/lib/*";
    for (int i = 0; i < 2; i++) { // built, and not built again
      List<String> said = run("links/bench", "--quick", "--out", "result.md");
      assertRuns(said, classPath, "org.dyr.benchmarks.Benchmarks", "--quick", "--out", "result.md");
      assertTrue(said.contains("-Ddyr.peers=" + checkout + "/benchmarks/peers/target"), said::toString);
    }
    assertRuns(run("links/bench", "--peers", "--json", "result.json"), classPath, "org.dyr.benchmarks.peers.Peers", "--peers",
        "--json", "result.json");
  }
}
