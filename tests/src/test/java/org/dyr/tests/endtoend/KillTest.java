package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.train.TrainConfig;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training processes that get signals. */
class KillTest {
  private static final int KILLS = 5;
  private static final int STEPS = 60;
  private static final String MODEL = "model/model.safetensors";

  @TempDir Path folder;
  private TinyData data;
  private Path out;
  private Path whole;
  private Path yaml;

  /** A run that nothing disturbs, in this process; and the config file of the one that is disturbed. */
  @BeforeEach
  void write() throws IOException {
    data = TinyData.write(folder);
    out = Files.createDirectories(folder.resolve("run"));
    whole = folder.resolve("whole");
    Runs.train(config(whole, "100"));
    yaml = Files.writeString(folder.resolve("train.yaml"), config(out, "1").toYaml());
  }

  private TrainConfig config(Path to, String checkpointEvery) {
    return data.config(to, Map.of("max_steps", "" + STEPS, "checkpoint_every", checkpointEvery,
        "keep_checkpoints", "2", "eval_every", "5", "kernels", "reference"));
  }

  private CommandProcess start() throws IOException {
    List<String> arguments = new ArrayList<>(List.of("train", "--config", yaml.toString()));
    if (!Runs.checkpoints(out).isEmpty()) arguments.addAll(List.of("--resume", out.toString()));
    return new CommandProcess(folder, arguments);
  }

  private int lines() throws IOException {
    Path metrics = out.resolve("metrics.jsonl");
    return Files.exists(metrics) ? Files.readAllLines(metrics).size() : 0;
  }

  private void finish() throws IOException, InterruptedException {
    try (CommandProcess process = start()) {
      assertEquals(0, process.await(), process.output());
      assertTrue(process.output().contains("trained %d steps".formatted(STEPS)), process.output());
    }
    assertEquals(List.of(), Runs.leftovers(out));
    assertEquals(Runs.metrics(whole), Runs.metrics(out));
    assertArrayEquals(Files.readAllBytes(whole.resolve(MODEL)), Files.readAllBytes(out.resolve(MODEL)));
  }

  @Test void killedAtAnyMomentItGoesOnAsIfNothingHadBeen() throws IOException, InterruptedException {
    SplittableRandom random = new SplittableRandom(20);
    for (int kill = 0; kill < KILLS; kill++) {
      int from = lines();
      try (CommandProcess process = start()) {
        process.awaitLines(out.resolve("metrics.jsonl"), from + random.nextInt(1, 4));
        // The line is out, its checkpoint is being written: any moment of that will do.
        long moment = System.nanoTime() + random.nextLong(20_000_000);
        while (System.nanoTime() < moment) Thread.onSpinWait();
        assertTrue(process.isAlive(), process.output());
        process.kill();
      }
      for (Path checkpoint : Runs.checkpoints(out)) {
        try (Ranker ranker = Ranker.load(checkpoint)) {
          assertEquals(TinyData.TOPICS, ranker.score(TinyData.query(0), TinyData.passages()).length);
        }
      }
    }
    assertTrue(lines() < STEPS, "killed before the end");
    finish();
  }

  @Test void terminatedItFinishesTheStepAndSaves() throws IOException, InterruptedException {
    try (CommandProcess process = start()) {
      process.awaitLines(out.resolve("metrics.jsonl"), 2);
      process.terminate();
      assertEquals(130, process.await(), process.output());
      assertTrue(process.output().contains("stopped after step %d; go on with --resume %s\n".formatted(lines(), out)),
          process.output());
      assertEquals(Runs.checkpoint(out, lines()), Runs.checkpoints(out).getLast());
    }
    finish();
  }

  /** A failure is told, and is a failure, also when a signal has come before it. */
  @Test void aFailureAfterASignalIsStillAFailure() throws IOException, InterruptedException {
    Files.writeString(yaml, data.config(out, Map.of("max_steps", "" + STEPS, "checkpoint_every", "1", "kernels",
        "reference")).toYaml());
    try (CommandProcess process = start()) {
      process.awaitLines(out.resolve("metrics.jsonl"), 1);
      // From here on no checkpoint can be published: a file stands where the folder was.
      Path checkpoints = out.resolve("checkpoints");
      Files.move(checkpoints, folder.resolve("elsewhere"));
      Files.writeString(checkpoints, "");
      process.terminate();
      assertEquals(1, process.await(), process.output());
      assertTrue(process.output().contains("dyr train: "), process.output());
    }
  }
}
