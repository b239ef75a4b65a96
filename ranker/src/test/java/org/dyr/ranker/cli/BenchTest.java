package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

class BenchTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir Path folder;
  private String config;

  @BeforeEach void writeConfig() throws IOException {
    config = Files.writeString(folder.resolve("config.json"), """
        {"model_type": "bert", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 32, "max_position_embeddings": 24}""").toString();
  }

  private int execute(String... args) {
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  /** The ceilings come first; then the step; every op of it is in a table, an encoder layer's module in another. */
  @ParameterizedTest
  @MethodSource("runs")
  void showsWhereTheTimeGoes(String mode, String compute, List<String> ops) {
    assertEquals(0, execute("bench", "--model-config", config, "--tokens", "3x8", "--mode", mode, "--compute", compute,
        "--steps", "2", "--warm-up", "1", "--threads", "2"), err.toString());
    String text = out.toString();
    String ceilings = "ceilings: \\d+ GFLOP/s fp32 multiply-add, \\d+ bf16, [\\d.]+ GB/s copied, 2 threads; ";
    assertTrue(text.matches("(?s)" + ceilings + ".*"), text);
    assertTrue(text.contains(mode + ", 3x8, "), text);
    for (String op : ops) assertTrue(text.contains("\n" + op), () -> op + " is missing in " + text);
    assertTrue(text.contains("\nencoder.*.attention"), text);
  }

  static Stream<Arguments> runs() {
    List<String> inference = List.of("Attention [", "DropoutAddLayerNorm [", "EmbeddingLayerNorm [");
    List<String> training = List.of("Attention.Grad [", "Lamb [", "SumSquares [", "GroupCrossEntropy.Grad [");
    return Stream.of(Arguments.of("train", "fp32", training), Arguments.of("train", "bf16", training),
        Arguments.of("infer", "fp32", inference), Arguments.of("infer", "fp16", List.of("Cast[F16] [")));
  }

  @Test void groupsOfOwnLengthsInMicroBatches() throws IOException {
    String lengths = Files.writeString(folder.resolve("own.txt"), "8 3\n24 5\n2 9\n").toString();
    assertEquals(0, execute("bench", "--model-config", config, "--lengths", lengths, "--group", "2", "--token-budget", "30",
        "--steps", "1", "--warm-up", "0", "--threads", "1"), err.toString());
    assertTrue(out.toString().contains("\ntrain, own.txt, float32: "), out.toString());
    assertEquals(2, execute("bench", "--model-config", config, "--lengths", lengths, "--group", "4"));
    assertTrue(err.toString().contains("--group must be at least 2 and divide the 6 sequences"), err.toString());
    Files.writeString(folder.resolve("own.txt"), "8 x");
    assertEquals(1, execute("bench", "--model-config", config, "--lengths", lengths));
    assertTrue(err.toString().contains("own.txt: has something else than whole numbers"), err.toString());
  }

  @Test void wrongSizesAreUsageErrors() {
    assertEquals(2, execute("bench", "--model-config", config, "--tokens", "3x8x2"));
    assertTrue(err.toString().contains("--tokens must be like 8x128, not 3x8x2"), err.toString());
    assertEquals(2, execute("bench", "--model-config", config, "--tokens", "3x25"));
    assertTrue(err.toString().contains("2 to 24 tokens"), err.toString());
    assertEquals(2, execute("bench", "--model-config", config, "--tokens", "1x8"));
    assertTrue(err.toString().contains("at least 2 sequences"), err.toString());
    assertEquals(2, execute("bench", "--model-config", config, "--tokens", "3x8", "--compute", "int8"));
    assertTrue(err.toString().contains("one of [bf16, fp16, fp32], not int8"), err.toString());
  }

  @Test void fusionsAreLeftOutByName() {
    for (String mode : List.of("train", "infer")) {
      out.getBuffer().setLength(0);
      assertEquals(0, execute("bench", "--model-config", config, "--tokens", "3x8", "--mode", mode, "--steps", "1",
          "--warm-up", "0", "--fusions-off", "dropout-add-layernorm,attention"), err.toString());
      String text = out.toString();
      assertTrue(text.contains("\nLayerNorm [") && text.contains("\nAttentionScores ["), text);
      assertTrue(!text.contains("\nDropoutAddLayerNorm [") && !text.contains("\nAttention ["), text);
    }
    assertEquals(1, execute("bench", "--model-config", config, "--tokens", "3x8", "--fusions-off", "layernorm"));
    assertTrue(err.toString().contains("no fusion 'layernorm'; there are [attention, "), err.toString());
  }

  @Test void aRehearsalScoresAndLeavesNothing() {
    assertEquals(0, execute("rehearse"), err.toString());
    assertEquals("", out.toString());
  }
}
