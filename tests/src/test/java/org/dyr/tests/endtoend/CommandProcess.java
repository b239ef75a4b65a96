package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The command line in a process of its own, on this JVM and this class path. */
final class CommandProcess implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 120;

  private final Process process;
  private final Path output;

  /** Starts {@code dyr} with these arguments; what it prints goes to a file of {@code folder}. */
  CommandProcess(Path folder, List<String> arguments) throws IOException {
    output = Files.createTempFile(folder, "output", ".txt");
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx512m",
        "-cp",
        System.getProperty("java.class.path"), "org.dyr.ranker.cli.Main"));
    command.addAll(arguments);
    process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile()).start();
  }

  /** Returns when the file has so many whole lines, or the process has ended. Its folder must exist. */
  void awaitLines(Path file, int lines) throws IOException, InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    try (WatchService watch = file.getFileSystem().newWatchService()) {
      file.getParent().register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_MODIFY);
      while (count(file) < lines && process.isAlive()) {
        if (System.nanoTime() > end) {
          fail("%s has %d lines after %d s:\n%s".formatted(file, count(file), PATIENCE_SECONDS, output()));
        }
        WatchKey key = watch.poll(1, TimeUnit.SECONDS);
        if (key == null) continue;
        key.pollEvents();
        key.reset();
      }
    }
  }

  private static int count(Path file) throws IOException {
    if (!Files.exists(file)) return 0;
    return (int) Files.readString(file, StandardCharsets.ISO_8859_1).chars().filter(c -> c == '\n').count();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** SIGKILL; returns when the process is gone. */
  void kill() throws IOException, InterruptedException {
    process.destroyForcibly();
    await();
  }

  /** SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /** The exit code. */
  int await() throws IOException, InterruptedException {
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      fail("still running after %d s:\n%s".formatted(PATIENCE_SECONDS, output()));
    }
    return process.exitValue();
  }

  /** Both outputs so far. */
  String output() throws IOException {
    return Files.readString(output);
  }

  @Override public void close() {
    process.destroyForcibly();
  }
}
