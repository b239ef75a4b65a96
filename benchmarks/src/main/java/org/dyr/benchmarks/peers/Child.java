package org.dyr.benchmarks.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A contestant's process. It is stopped (SIGSTOP) whenever it is not its turn, so that threads which spin while they
 * wait disturb nobody. A stopped process cannot see that its parent has been killed: a watcher does, and kills it.
 */
final class Child implements AutoCloseable {
  private static final String END = "";
  private static final String FAILED = "failed ";
  private static final List<String> FOREIGN = List.of("OMP_", "OPENBLAS_", "MKL_", "GOMP_", "KMP_", "LD_PRELOAD");

  /** A run's time and numbers. */
  record Sample(double millis, double[] numbers) {}

  private final Process process;
  private final Process watcher;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final long limitSeconds;
  private long peak;

  private Child(Process process, Process watcher, long limitSeconds) {
    this.process = process;
    this.watcher = watcher;
    this.limitSeconds = limitSeconds;
    Thread.ofPlatform().daemon().start(this::read);
  }

  /**
   * Starts a process and waits until it is ready; then it is stopped.
   *
   * @param environment besides what is inherited, of which what steers math libraries is left out
   * @param folder it runs in, where its messages go
   * @param limitSeconds that preparing, and each run, may take
   */
  static Child start(List<String> command, Map<String, String> environment, Path folder, long limitSeconds)
      throws ContestantException, IOException {
    List<String> words = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    words.addAll(command);
    ProcessBuilder builder = new ProcessBuilder(words).directory(folder.toFile())
        .redirectError(ProcessBuilder.Redirect.appendTo(folder.resolve("messages.txt").toFile()));
    builder.environment().keySet().removeIf(name -> FOREIGN.stream().anyMatch(name::startsWith));
    builder.environment().putAll(environment);
    Child child = watched(builder.start(), limitSeconds);
    try {
      String first = child.answer(limitSeconds);
      if (!first.equals("ready")) throw new ContestantException("said '" + first + "' before it was ready");
      child.signal("STOP");
      return child;
    } catch (ContestantException | IOException | RuntimeException e) {
      child.close();
      throw e;
    }
  }

  /** The watcher's input is a pipe of ours that nobody writes to: it ends when this process does, in whatever way. */
  private static Child watched(Process process, long limitSeconds) throws IOException {
    try {
      return new Child(process, new ProcessBuilder("sh", "-c", "read end; kill -KILL " + process.pid())
          .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start(),
          limitSeconds);
    } catch (IOException e) {
      process.destroyForcibly();
      throw e;
    }
  }

  private void read() {
    try (BufferedReader in = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line; (line = in.readLine()) != null;) {
        if (line.startsWith(Engine.MARK)) lines.add(line.substring(Engine.MARK.length()));
      }
    } catch (IOException e) {
      lines.add(FAILED + "to be read: " + e.getMessage());
    }
    lines.add(END);
  }

  /** Lets it run once. One that fails, or takes too long, is killed. */
  Sample run() throws ContestantException, IOException {
    return run(limitSeconds);
  }

  /** The same within another limit. */
  Sample run(long seconds) throws ContestantException, IOException {
    signal("CONT");
    try {
      ask();
      double[] numbers = Arrays.stream(answer(seconds).split(" ")).mapToDouble(Double::parseDouble).toArray();
      signal("STOP");
      return new Sample(numbers[0], Arrays.copyOfRange(numbers, 1, numbers.length));
    } catch (ContestantException e) {
      peakBytes();
      close();
      throw e;
    }
  }

  private void ask() throws ContestantException {
    try {
      process.getOutputStream().write("run\n".getBytes(StandardCharsets.US_ASCII));
      process.getOutputStream().flush();
    } catch (IOException e) {
      throw ended();
    }
  }

  private String answer(long seconds) throws ContestantException {
    String line;
    try {
      line = lines.poll(seconds, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ContestantException("interrupted");
    }
    if (line == null) throw new ContestantException("took more than %d s".formatted(seconds));
    if (line.equals(END)) throw ended();
    if (line.startsWith(FAILED)) throw new ContestantException(line);
    return line;
  }

  private ContestantException ended() {
    return new ContestantException("its process ended with status %d".formatted(process.onExit().join().exitValue()));
  }

  private void signal(String name) throws IOException {
    try {
      new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid()))
          .redirectError(ProcessBuilder.Redirect.DISCARD).start().waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  long pid() {
    return process.pid();
  }

  /** The most memory it had in RAM at once, in bytes (Linux's VmHWM); 0 when it ended before anybody asked. */
  long peakBytes() throws IOException {
    if (!process.isAlive()) return peak;
    for (String line : Files.readAllLines(Path.of("/proc", String.valueOf(process.pid()), "status"))) {
      if (line.startsWith("VmHWM:")) peak = Long.parseLong(line.replaceAll("\\D+", "")) << 10;
    }
    return peak;
  }

  /** Kills it, stopped or not. */
  @Override public void close() {
    watcher.destroyForcibly();
    process.destroyForcibly();
    process.onExit().join();
  }
}
