package org.dyr.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dyr.benchmarks.peers.Job.Mode;
import org.dyr.benchmarks.peers.Job.Precision;
import org.dyr.benchmarks.peers.Job.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class ChildTest {
  private static final long LIMIT_SECONDS = 120;

  @TempDir Path folder;

  private Child start(String variant) throws ContestantException, IOException {
    return start(variant, folder);
  }

  private static Child start(String variant, Path folder) throws ContestantException, IOException {
    Job job = new Job(Mode.TRAIN, new Size(2, 64, 4), 0.1, Precision.F32, 2, 8, variant, Path.of("none"));
    List<String> command = new ArrayList<>(
        List.of("-Xmx32m", "-cp", System.getProperty("java.class.path"), FakeEngine.class.getName()));
    command.addAll(job.arguments());
    return Child.start(command, Map.of(), folder, LIMIT_SECONDS);
  }

  @Test void answersEveryRunAndLibrariesMayPrint() throws ContestantException, IOException {
    try (Child child = start("good")) {
      assertArrayEquals(new double[] {1, 64}, child.run().numbers());
      Child.Sample second = child.run();
      assertArrayEquals(new double[] {2, 64}, second.numbers());
      assertTrue(child.peakBytes() > 1 << 20);
    }
  }

  @Test void whatFailsSaysWhy() throws ContestantException, IOException {
    ContestantException broken = assertThrows(ContestantException.class, () -> start("broken"));
    assertEquals("failed java.lang.IllegalStateException: no such processor", broken.getMessage());
    try (Child child = start("crash")) {
      ContestantException crash = assertThrows(ContestantException.class, child::run);
      assertEquals("its process ended with status 134", crash.getMessage());
      assertEquals(0, child.peakBytes());
      assertThrows(ContestantException.class, child::run);
    }
    try (Child child = start("slow")) {
      ContestantException slow = assertThrows(ContestantException.class, () -> child.run(1));
      assertEquals("took more than 1 s", slow.getMessage());
    }
  }

  /** A process that starts a child, tells its number, and waits. */
  static final class Parent {
    private Parent() {}

    public static void main(String[] args) throws Exception {
      System.out.println(start("good", Path.of(args[0])).pid());
      Thread.currentThread().join();
    }
  }

  @Test void aStoppedChildEndsWithAParentThatIsKilled() throws Exception {
    Process parent = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx32m",
        "-cp", System.getProperty("java.class.path"), Parent.class.getName(), folder.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT).start();
    ProcessHandle child = ProcessHandle.of(Long.parseLong(parent.inputReader().readLine())).orElseThrow();
    assertTrue(child.isAlive());
    parent.destroyForcibly();
    child.onExit().get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }
}
