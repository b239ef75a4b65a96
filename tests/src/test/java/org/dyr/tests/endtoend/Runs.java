package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.Trainer;
import org.dyr.ranker.train.TrainingListener;

/** Training runs, and what they leave in their output folder. */
final class Runs {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Runs() {}

  /** Trains to the end, or to where {@code stop} says so; whether the end was reached. */
  static boolean train(TrainConfig config, Optional<Path> resume, BooleanSupplier stop) throws IOException {
    try (Trainer trainer =
        new Trainer(config, resume, new Trainer.Watch(false, false), new TrainingListener() {})) {
      return trainer.run(stop);
    }
  }

  static void train(TrainConfig config) throws IOException {
    train(config, Optional.empty(), () -> false);
  }

  /**
   * Each line of {@code metrics.jsonl} without the time it took: step, epoch, loss, rate, norm, scale and sizes, to the
   * last bit.
   */
  static List<String> metrics(Path out) throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) {
      JsonNode json = JSON.readTree(line);
      lines.add("step %s epoch %s loss %s lr %s grad_norm %s scale %s skipped %s sequences %s tokens %s".formatted(json.get("step"),
          json.get("epoch"), json.get("loss"), json.get("lr"), json.get("grad_norm"), json.get("loss_scale"),
          json.get("skipped"), json.get("sequences"), json.get("tokens")));
    }
    return lines;
  }

  static Path checkpoint(Path out, long step) {
    return out.resolve("checkpoints/step-%06d".formatted(step));
  }

  /** The checkpoints that readers see, oldest first. */
  static List<Path> checkpoints(Path out) throws IOException {
    return list(out.resolve("checkpoints")).stream()
        .filter(p -> p.getFileName().toString().startsWith("step-")).toList();
  }

  /** What a killed process left half done. */
  static List<Path> leftovers(Path out) throws IOException {
    List<Path> all = new ArrayList<>(list(out));
    all.addAll(list(out.resolve("checkpoints")));
    return all.stream().filter(p -> p.getFileName().toString().startsWith("."))
        .filter(p -> !p.getFileName().toString().equals(".lock")).toList();
  }

  private static List<Path> list(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) return List.of();
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  /** Has the run go on from a checkpoint with another loss scale. */
  static void setLossScale(Path out, int step, String value) throws IOException {
    Path file = checkpoint(out, step).resolve("training.json");
    String state = Files.readString(file), other = state.replaceAll("\"loss_scale\" : [0-9.E]+", "\"loss_scale\" : " + value);
    assertNotEquals(state, other);
    Files.writeString(file, other);
  }
}
