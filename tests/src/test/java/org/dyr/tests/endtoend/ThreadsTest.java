package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A run gives the same losses and the same weights, to the last bit, however many threads compute it. */
class ThreadsTest {
  private static final int STEPS = 3;

  @TempDir Path folder;

  /** The plain loops are left out: they run on one thread. */
  static Stream<Arguments> sets() {
    List<String> sets = KernelSets.names().stream().filter(set -> !set.equals("reference")).toList();
    return Stream.of("float32", "bfloat16").flatMap(type -> sets.stream().map(set -> Arguments.of(set, type)));
  }

  /** Products of a size at which every set shares them out, two micro-batches a step, dropout. */
  @ParameterizedTest
  @MethodSource("sets")
  void theNumberOfThreadsChangesNoBit(String set, String type) throws IOException {
    TinyData data = TinyData.write(folder);
    Path wide = Files.writeString(folder.resolve("wide.json"), """
        {"model_type": "bert", "vocab_size": %d, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
         "intermediate_size": 600, "hidden_act": "gelu", "max_position_embeddings": 32, "type_vocab_size": 2,
         "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.1}
        """.formatted(TinyData.VOCABULARY));
    List<String> metrics = null;
    byte[] model = null;
    for (int threads = 1; threads <= 3; threads++) {
      Path out = folder.resolve("threads-" + threads);
      Runs.train(data.config(out, Map.of("kernels", set, "compute_type", type, "threads", "" + threads,
          "max_steps", "" + STEPS, "model_config", wide.toString(), "batch_groups", "8", "token_budget", "160",
          "dev_split", "none")));
      byte[] weights = Files.readAllBytes(out.resolve("model/model.safetensors"));
      if (threads == 1) {
        metrics = Runs.metrics(out);
        model = weights;
        assertEquals(STEPS, metrics.size());
      }
      assertEquals(metrics, Runs.metrics(out), threads + " threads");
      assertArrayEquals(model, weights, threads + " threads");
    }
  }
}
