package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class MainTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir Path folder;

  private int execute(String... args) {
    return execute(new PrintWriter(out), args);
  }

  private int execute(PrintWriter to, String... args) {
    CommandLine line = Main.commandLine();
    line.setOut(to);
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  private String qrels() throws IOException {
    return Files.writeString(folder.resolve("qrels"), "q 0 a 2\nr 0 a 1\n").toString();
  }

  private String run(String text) throws IOException {
    return Files.writeString(folder.resolve("run"), text).toString();
  }

  @Test void metricsPrintsATableOnStandardOutputOnly() throws IOException {
    assertEquals(0, execute("metrics", "--qrels", qrels(), "--run", run("q b 1\nq a 2\n")));
    assertTrue(out.toString().contains("run: MS MARCO run, by rank\n"), out.toString());
    assertTrue(out.toString().contains("MRR@10      0.5                     0.25\n"), out.toString());
    assertEquals("", err.toString());
  }

  @Test void metricsPrintsJson() throws IOException {
    assertEquals(0, execute("metrics", "--qrels", qrels(), "--run", run("q b 1\nr a 1\n"), "--json",
        "--relevant-from", "2", "--threads", "1", "--kernels", "vector", "--seed", "3", "--device", "cpu"));
    var json = new ObjectMapper().readTree(out.toString());
    assertEquals(2, json.get("relevant_from").asInt());
    assertEquals(1, json.get("queries_judged_without_relevant").asInt());
    assertEquals(0.0, json.at("/over_queries_in_both/MRR@10").asDouble());
  }

  @ParameterizedTest
  @ValueSource(strings = {"on", "off"})
  void aSwitchIsOnOrOff(String graphs) throws IOException {
    assertEquals(0, execute("metrics", "--qrels", qrels(), "--run", run("q b 1\n"), "--cuda-graphs", graphs),
        err.toString());
  }

  @Test void trainTellsWhatBecomesOfAConfigurationOfTheOriginal() throws IOException {
    Path config = Files.writeString(folder.resolve("dyr_config.yaml"), """
        dyr_version: "dry_base"
        epoch_num: 2
        train_data_file_path: "%1$s/train.jsonl"
        load_pretrain_checkpoint_path: "%1$s/bert"
        save_finetune_checkpoint_path: "%1$s/out"
        """.formatted(folder));
    assertEquals(1, execute("train", "--config", config.toString()));
    assertTrue(err.toString().contains("\nepoch_num 2 -> epochs 2\n"), err.toString());
    assertTrue(err.toString().contains("\nwarning: dyr_version dry_base"), err.toString());
    assertTrue(err.toString().endsWith("dyr train: " + folder.resolve("bert/config.json") + ": no such file\n"),
        err.toString());
    assertEquals("", out.toString());
  }

  @Test void aFailureIsOneLineAndOne() throws IOException {
    String missing = folder.resolve("missing").toString();
    assertEquals(1, execute("metrics", "--qrels", qrels(), "--run", missing));
    assertEquals("dyr metrics: " + missing + ": no such file\n", err.toString());
    err.getBuffer().setLength(0);
    String run = run("q a NaN\n");
    assertEquals(1, execute("metrics", "--qrels", qrels(), "--run", run));
    assertEquals("dyr metrics: " + run + ":1: the score NaN is not a finite number\n", err.toString());
    err.getBuffer().setLength(0);
    assertEquals(1, execute("metrics", "--qrels", qrels(), "--run", run, "--verbose"));
    assertTrue(err.toString().contains("\tat org.dyr.ranker.eval.RunReader"), err.toString());
    assertEquals("", out.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "metrcs", "metrics", "metrics --qrels a", "metrics --qrels a --run b --relevant-from 0",
      "metrics --qrels a --run b --kernels fast", "metrics --qrels a --run b --cpu-features sse",
      "metrics --qrels a --run b --threads -1",
      "metrics --qrels a --run b --cuda-graphs perhaps", "metrics --qrels a --run b --cuda-graphs",
      "metrics --qrels a --run b --threads x", "metrics --qrels a --run b c", "train", "--no-such-option"})
  void wrongUsageIsTwo(String args) {
    assertEquals(2, execute(args.isEmpty() ? new String[0] : args.split(" ")));
    assertTrue(err.toString().startsWith("dyr"), err.toString());
    assertTrue(err.toString().contains("--help' shows the usage."), err.toString());
    assertFalse(err.toString().contains("\tat "), err.toString());
    assertEquals("", out.toString());
  }

  @Test void aNamedCommandIsMadeAloneAndAnyOtherWordMakesAll() {
    for (String name : Main.commandLine().getSubcommands().keySet()) {
      assertEquals(Set.of(name), Main.commandLine(name, "--help").getSubcommands().keySet());
    }
    assertTrue(Main.commandLine("scroe").getSubcommands().keySet().containsAll(List.of("demo", "score", "info")));
    assertTrue(Main.commandLine("--help", "score").getSubcommands().size() > 10);
  }

  @Test void helpIsAResult() {
    assertEquals(0, execute("metrics", "--help"));
    assertTrue(out.toString().contains("--relevant-from"), out.toString());
    assertEquals(0, execute("--help"));
    assertEquals(0, execute("train", "--help-config"));
    assertTrue(out.toString().contains("\n  learning_rate: 1.0e-5\n"), out.toString());
    assertEquals("", err.toString());
  }

  private static Writer failing(RuntimeException failure) {
    return new Writer() {
      @Override public void write(char[] chars, int offset, int length) {
        throw failure;
      }

      @Override public void flush() {}

      @Override public void close() {}
    };
  }

  @Test void aClosedPipeEndsQuietlyAndAFullDiskDoesNot() {
    assertEquals(0, execute(new PrintWriter(failing(new StandardOutput.ClosedPipe())), "train", "--help-config"));
    assertEquals("", err.toString());
    assertEquals(1, execute(new PrintWriter(failing(
        new UncheckedIOException("standard output: No space left on device", new IOException()))),
        "train", "--help-config"));
    assertEquals("dyr train: standard output: No space left on device\n", err.toString());
  }
}
