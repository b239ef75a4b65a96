package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.ranker.train.TrainConfig;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Training in bf16 and fp16 with fp32 weights, and the dynamic loss scale. */
class PrecisionTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;
  private TinyData data;

  @BeforeEach
  void write() throws IOException {
    data = TinyData.write(folder);
  }

  private TrainConfig config(Path out, String type, String... settings) {
    Map<String, String> map = new HashMap<>(Map.of("compute_type", type));
    for (int i = 0; i < settings.length; i += 2) map.put(settings[i], settings[i + 1]);
    return data.config(out, map);
  }

  private static List<JsonNode> metrics(Path out) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) lines.add(JSON.readTree(line));
    return lines;
  }

  /** The same groups, masks and rate: the losses differ by the rounding of the encoder alone. */
  @ParameterizedTest
  @CsvSource({"bfloat16, vector, 0.1", "float16, vector, 0.02", "bfloat16, reference, 0.1", "float16, reference, 0.02"})
  void lossesFollowThoseOfFp32(String type, String kernels, double distance) throws IOException {
    Path exact = folder.resolve("exact"), half = folder.resolve("half");
    Runs.train(config(exact, "float32", "kernels", kernels, "optimizer.learning_rate", "1e-3"));
    Runs.train(config(half, type, "kernels", kernels, "optimizer.learning_rate", "1e-3"));
    List<JsonNode> expected = metrics(exact), actual = metrics(half);
    assertEquals(8, actual.size());
    boolean differs = false;
    for (int i = 0; i < 8; i++) {
      double loss = actual.get(i).get("loss").asDouble();
      assertEquals(expected.get(i).get("loss").asDouble(), loss, distance, "step " + (i + 1));
      assertEquals(expected.get(i).get("grad_norm").asDouble(), actual.get(i).get("grad_norm").asDouble(),
          10 * distance * expected.get(i).get("grad_norm").asDouble(), "step " + (i + 1));
      differs |= loss != expected.get(i).get("loss").asDouble();
      assertEquals(type.equals("float16") ? 65536 : 1, actual.get(i).get("loss_scale").asDouble());
    }
    assertTrue(differs, "a rounded encoder cannot give fp32's losses to the last bit");
  }

  /** The scale counts its good steps across the checkpoint too. */
  @Test void aScaledRunGoesOnFromACheckpointBitForBit() throws IOException {
    Path whole = folder.resolve("whole"), out = folder.resolve("out");
    Runs.train(config(whole, "float16", "checkpoint_every", "4", "keep_checkpoints", "3"));
    Runs.train(config(out, "float16", "checkpoint_every", "4", "keep_checkpoints", "3"));
    JsonNode state = JSON.readTree(Runs.checkpoint(out, 4).resolve("training.json").toFile());
    assertEquals(65536, state.get("loss_scale").asDouble());
    assertEquals(4, state.get("loss_scale_good_steps").asInt());
    Runs.train(config(out, "float16", "checkpoint_every", "4", "keep_checkpoints", "3"),
        Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertEquals(Runs.metrics(whole), Runs.metrics(out));
    assertArrayEquals(Files.readAllBytes(whole.resolve("model/model.safetensors")),
        Files.readAllBytes(out.resolve("model/model.safetensors")));
  }

  private Path trained(String type) throws IOException {
    Path out = folder.resolve("run");
    Runs.train(config(out, type, "checkpoint_every", "1", "keep_checkpoints", "9"));
    return out;
  }

  @Test void anOverflowIsSkippedCountedAndHalvesTheScale() throws IOException {
    Path out = trained("float16");
    Runs.setLossScale(out, 2, "1.0E10");
    Runs.train(config(out, "float16", "checkpoint_every", "1", "keep_checkpoints", "30", "max_steps", "24"),
        Optional.of(Runs.checkpoint(out, 2)), () -> false);
    List<JsonNode> lines = metrics(out);
    int skipped = 0;
    for (int i = 2; i + 1 < lines.size(); i++) {
      JsonNode line = lines.get(i), next = lines.get(i + 1);
      boolean skips = line.get("skipped").asInt() > skipped;
      skipped = line.get("skipped").asInt();
      for (String file : List.of("model.safetensors", "optimizer.safetensors")) {
        byte[] before = Files.readAllBytes(Runs.checkpoint(out, i).resolve(file));
        byte[] after = Files.readAllBytes(Runs.checkpoint(out, i + 1).resolve(file));
        assertEquals(skips, Arrays.equals(before, after), file + " after step " + (i + 1));
      }
      double scale = line.get("loss_scale").asDouble();
      assertEquals(skips ? scale / 2 : scale, next.get("loss_scale").asDouble());
      if (skips) assertEquals(line.get("lr"), next.get("lr"), "the schedule counts updates");
    }
    assertTrue(skipped > 0 && skipped < 22, skipped + " of 22 steps were skipped");
  }

  /** A gradient that is not finite at scale 1 is no matter of scale. */
  @ParameterizedTest
  @ValueSource(strings = {"float32", "float16"})
  void whatNoScaleCuresIsAnError(String type) throws IOException {
    Path out = trained(type);
    if (type.equals("float16")) Runs.setLossScale(out, 2, "1.0");
    TrainConfig hot = config(out, type, "checkpoint_every", "1", "keep_checkpoints", "9", "optimizer.learning_rate",
        "1e30", "max_steps", "12");
    IllegalStateException e = assertThrows(IllegalStateException.class,
        () -> Runs.train(hot, Optional.of(Runs.checkpoint(out, 2)), () -> false));
    assertTrue(e.getMessage().contains("is not finite"), e.getMessage());
    assertTrue(Files.isDirectory(Runs.checkpoint(out, 2)));
  }

  @Test void anotherComputeTypeMayGoOn() throws IOException {
    Path out = trained("float32");
    Runs.train(config(out, "float16"), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertEquals(1, metrics(out).get(3).get("loss_scale").asDouble());
    assertEquals(65536, metrics(out).get(4).get("loss_scale").asDouble());
  }
}
