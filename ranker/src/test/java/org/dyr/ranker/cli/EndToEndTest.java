package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The commands one after the other, on six colours: train once, then eval, score and rerank; and how each fails. */
class EndToEndTest {
  private static final List<String> COLOURS = List.of("red", "green", "blue", "white", "black", "brown");
  private static final String NUMBER = "-?\\d\\.\\d+(e[-+]\\d+)?|-?\\d+\\.\\d+";

  @TempDir static Path folder;
  private static Path yaml;
  private static Path model;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... args) {
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @BeforeAll static void train() throws IOException {
    List<String> vocabulary = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "is", "what"));
    vocabulary.addAll(COLOURS);
    Files.write(folder.resolve("vocab.txt"), vocabulary);
    Files.writeString(folder.resolve("config.json"), """
        {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
         "hidden_act": "gelu_new", "max_position_embeddings": 16, "initializer_range": 0.2}
        """);
    List<String> collection = new ArrayList<>(), queries = new ArrayList<>(), qrels = new ArrayList<>(),
        pool = new ArrayList<>();
    for (String c : COLOURS) {
      collection.add("p-" + c + "\tthe " + c + " is the " + c);
      queries.add("q-" + c + "\twhat is " + c);
      qrels.add("q-" + c + "\t0\tp-" + c + "\t1");
      for (String other : COLOURS) pool.add("q-" + c + "\tp-" + other);
    }
    Files.write(folder.resolve("collection.tsv"), collection);
    for (String split : List.of("train", "dev", "test")) {
      Files.write(folder.resolve("queries." + split + ".tsv"), queries);
      Files.write(folder.resolve("qrels." + split + ".tsv"), qrels);
      Files.write(folder.resolve("candidates." + split + ".tsv"), pool);
    }
    yaml = Files.writeString(folder.resolve("train.yaml"), """
        data: %1$s
        model_config: %1$s/config.json
        vocab: %1$s/vocab.txt
        out: %1$s/run
        max_steps: 12
        group_size: 3
        batch_groups: 2
        max_length: 16
        max_query_length: 8
        threads: 1
        optimizer:
          learning_rate: 1e-2
        """.formatted(folder));
    model = folder.resolve("run/model");
    EndToEndTest first = new EndToEndTest();
    assertEquals(0, first.execute("train", "--config", yaml.toString()), first.err.toString());
    assertEquals("trained 12 steps; 0 passages and 0 queries were cut to fit; models in " + folder.resolve("run")
        + "\n",
        first.out.toString());
  }

  @BeforeEach void thereIsAModel() {
    assertTrue(Files.isRegularFile(model.resolve("model.safetensors")));
  }

  @Test void trainWritesMetricsCheckpointAndModels() throws IOException {
    Path run = folder.resolve("run");
    List<String> lines = Files.readAllLines(run.resolve("metrics.jsonl"));
    assertEquals(12, lines.size());
    var last = new ObjectMapper().readTree(lines.getLast());
    List<String> names = new ArrayList<>();
    last.fieldNames().forEachRemaining(names::add);
    assertEquals(List.of("step", "epoch", "loss", "lr", "grad_norm", "loss_scale", "skipped", "seconds", "sequences",
        "tokens"), names);
    assertEquals(12, last.get("step").asInt());
    assertEquals(4.0, last.get("epoch").asDouble());
    assertEquals(6, last.get("sequences").asInt());
    for (String file : List.of("best/model.safetensors", "checkpoints/step-000012/optimizer.safetensors",
        "checkpoints/step-000012/training.json", "checkpoints/step-000012/train.yaml", "model/vocab.txt",
            "model/config.json")) {
      assertTrue(Files.isRegularFile(run.resolve(file)), file);
    }
    assertEquals(4, Files.readAllLines(run.resolve("evaluations.jsonl")).size(), "at the end of each epoch");
  }

  /** Of lines "q-X Q0 p-Y rank ..", where p-X alone is relevant to q-X. */
  private static double mrr10(List<String> run) {
    double sum = 0;
    for (String line : run) {
      String[] fields = line.split(" ");
      boolean relevant = fields[0].substring(2).equals(fields[2].substring(2));
      if (relevant && Integer.parseInt(fields[3]) <= 10) sum += 1.0 / Integer.parseInt(fields[3]);
    }
    return sum / COLOURS.size();
  }

  @Test void evalWritesScoresRunAndMetrics() throws IOException {
    Path to = folder.resolve("eval");
    assertEquals(0, execute("eval", "--model", model.toString(), "--data", folder.toString(), "--split", "test",
        "--out",
        to.toString(), "--threads", "1"), err.toString());
    List<String> scores = Files.readAllLines(to.resolve("scores.tsv"));
    assertEquals(36, scores.size());
    assertTrue(scores.get(0).matches("q-red\tp-red\t(" + NUMBER + ")"), scores.get(0));
    List<String> run = Files.readAllLines(to.resolve("run.trec"));
    assertEquals(36, run.size());
    assertTrue(run.get(0).matches("q-red Q0 p-\\w+ 1 (" + NUMBER + ") dyr"), run.get(0));
    double mrr = new ObjectMapper().readTree(to.resolve("metrics.json").toFile())
        .at("/over_judged_queries/MRR@10").asDouble();
    assertEquals(mrr10(run), mrr, 1e-9);
    assertTrue(out.toString().contains("MRR@10 ")
        && out.toString().endsWith("0 passages and 0 queries were cut to fit\n"),
        out.toString());
    StringWriter table = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(table));
    assertEquals(0, line.execute("metrics", "--qrels", folder.resolve("qrels.test.tsv").toString(), "--run",
        to.resolve("run.trec").toString()));
    String measured = table.toString();
    assertTrue(out.toString().contains(measured.substring(measured.indexOf("MRR@10"), measured.indexOf("MRR@100"))),
        measured);
  }

  private List<String> score(String pairs, String... more) throws IOException {
    Path from = Files.writeString(folder.resolve("pairs.tsv"), pairs), to = folder.resolve("scores.txt");
    List<String> args = new ArrayList<>(List.of("score", "--model", model.toString(), "--pairs", from.toString(),
        "--out",
        to.toString()));
    args.addAll(List.of(more));
    assertEquals(0, execute(args.toArray(new String[0])), err.toString());
    return Files.readAllLines(to);
  }

  @Test void scoreWritesNineDigitsALineInOrder() throws IOException {
    List<String> scores = score("what is red\tthe red\nwhat is blue\tthe red\nwhat is red\tthe blue\n");
    assertEquals(3, scores.size());
    for (String s : scores) {
      assertTrue(s.matches(NUMBER), s);
      assertEquals(9, s.replaceAll("e.*", "").replaceAll("[^0-9]", "").replaceFirst("^0+", "").length(), s);
    }
    float alone = Float.parseFloat(score("what is blue\tthe red\n", "--threads", "1", "--kernels", "reference").get(0));
    assertEquals(Float.parseFloat(scores.get(1)), alone, 1e-5f);
    assertEquals(List.of(), score(""));
  }

  private int rerank(byte[] input, String... args) {
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(input));
    try {
      return execute(args);
    } finally {
      System.setIn(before);
    }
  }

  @Test void rerankPrintsRankScorePassage() {
    byte[] passages = "the red\r\nthe green\n\nthe blue\n".getBytes(StandardCharsets.UTF_8);
    assertEquals(0, rerank(passages, "rerank", "--model", model.toString(), "--query", "what is red"), err.toString());
    String[] lines = out.toString().split("\n");
    assertEquals(4, lines.length);
    List<String> seen = new ArrayList<>();
    double before = Double.POSITIVE_INFINITY;
    for (int i = 0; i < lines.length; i++) {
      String[] fields = lines[i].split("\t", -1);
      assertEquals(3, fields.length, lines[i]);
      assertEquals(Integer.toString(i + 1), fields[0]);
      assertTrue(fields[1].matches(NUMBER) && Double.parseDouble(fields[1]) <= before, out.toString());
      before = Double.parseDouble(fields[1]);
      seen.add(fields[2]);
    }
    assertEquals(List.of("", "the blue", "the green", "the red"), seen.stream().sorted().toList());
    out.getBuffer().setLength(0);
    assertEquals(0, rerank(passages, "rerank", "--model", model.toString(), "--query", "what is red", "--top", "2"));
    assertEquals(lines[0] + "\n" + lines[1] + "\n", out.toString());
    out.getBuffer().setLength(0);
    assertEquals(0, rerank(new byte[0], "rerank", "--model", model.toString(), "--query", "what is red"));
    assertEquals("", out.toString());
  }

  @Test void rerankReadsLinesAsTheyAreReadFromFiles() {
    byte[] passages = "\uFEFFthe red\rrose\r\nthe\u2028blue".getBytes(StandardCharsets.UTF_8);
    assertEquals(0, rerank(passages, "rerank", "--model", model.toString(), "--query", "what is red"), err.toString());
    assertEquals(List.of("the red\rrose", "the\u2028blue"),
        List.of(out.toString().split("\n")).stream().map(line -> line.split("\t", -1)[2]).sorted().toList());
  }

  @Test void rerankSaysThatTheInputIsNotUtf8() {
    assertEquals(1, rerank(new byte[] {'a', (byte) 0xE9, '\n'}, "rerank", "--model", model.toString(), "--query",
        "red"));
    assertEquals("dyr rerank: standard input is not UTF-8: convert it first (iconv -t UTF-8)\n", err.toString());
  }

  private void assertFails(String message, String... args) {
    err.getBuffer().setLength(0);
    assertEquals(1, execute(args), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertFalse(err.toString().contains("Exception"), err.toString());
    assertEquals("", out.toString());
  }

  @Test void failuresAreOneLine() throws IOException {
    Path nowhere = folder.resolve("nowhere"), to = folder.resolve("none");
    assertFails("dyr score: " + nowhere.resolve("config.json") + ": no such file", "score", "--model",
        nowhere.toString(),
        "--pairs", yaml.toString(), "--out", to.toString());
    assertFails("dyr score: " + nowhere + ": ", "score", "--model", model.toString(), "--pairs", nowhere.toString(),
        "--out",
        to.toString());
    Path pairs = Files.writeString(folder.resolve("bad.tsv"), "a\tb\nno tab\n");
    assertFails("dyr score: " + pairs + ":2: 1 tab-separated column, expected 2: query<TAB>passage", "score", "--model",
        model.toString(), "--pairs", pairs.toString(), "--out", to.toString());
    assertFalse(Files.exists(to), "nothing is written when a line is bad");
    assertFails("no queries.missing.tsv", "eval", "--model", model.toString(), "--data", folder.toString(), "--split",
        "missing", "--out", to.toString());
    assertFails("no device 'gpu' here; there are [cpu, cuda]", "score", "--model", model.toString(), "--pairs",
        pairs.toString(),
        "--out", to.toString(), "--device", "gpu");
    assertFails("has the checkpoints of another run", "train", "--config", yaml.toString());
    assertFails("did you mean 'max_steps'", "train", "--config", yaml.toString(), "--set", "max_stepz=3");
    assertFails("nor a run with checkpoints", "train", "--config", yaml.toString(), "--resume", nowhere.toString());
  }

  @Test void wrongUsageIsTwo() {
    assertEquals(2, execute("rerank", "--model", model.toString(), "--query", "a", "--top", "0"));
    assertEquals(2, execute("eval", "--model", model.toString(), "--data", folder.toString(), "--split", "test",
        "--out",
        folder.resolve("e").toString(), "--relevant-from", "0"));
    assertEquals(2, execute("score", "--pairs", yaml.toString()));
    assertEquals("", out.toString());
  }
}
