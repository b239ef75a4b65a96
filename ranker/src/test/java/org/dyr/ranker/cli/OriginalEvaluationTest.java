package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.formats.checkpoint.TensorFile;
import org.dyr.formats.checkpoint.TensorFiles;
import org.dyr.formats.mindrecord.Cell;
import org.dyr.formats.mindrecord.Column;
import org.dyr.formats.mindrecord.ColumnType;
import org.dyr.formats.mindrecord.MindRecordWriter;
import org.dyr.formats.mindrecord.Row;
import org.dyr.formats.mindrecord.Schema;
import org.dyr.formats.mindrecord.WriterOptions;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.eval.RunWriter;
import org.dyr.ranker.model.CheckpointFile;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.Tokenizer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The original's evaluation, its MindSpore checkpoints, and both by its own configuration. */
class OriginalEvaluationTest {
  private static final List<String> COLOURS = List.of("red", "green", "blue", "white", "black", "brown");
  private static final int LONGEST = 16;

  @TempDir static Path folder;
  private static Path model;
  private static Path checkpoint;
  private static Path records;
  private static Path ids;
  private static Path qrels;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @BeforeAll static void files() throws IOException {
    List<String> vocabulary = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "is", "what"));
    vocabulary.addAll(COLOURS);
    Path words = Files.write(folder.resolve("vocab.txt"), vocabulary);
    Path config = Files.writeString(folder.resolve("config.json"), """
        {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
         "hidden_act": "gelu_new", "layer_norm_eps": 1e-7, "max_position_embeddings": 16, "initializer_range": 0.3}
        """);
    model = Files.createDirectory(folder.resolve("model"));
    checkpoint = folder.resolve("model.ckpt");
    List<Row> rows = new ArrayList<>();
    List<String> idLines = new ArrayList<>();
    try (Backend backend = Devices.open("cpu", new DeviceOptions(1, "auto"));
        Model fresh = Model.create(ModelConfig.read(config), Tokenizer.load(words), backend, 7)) {
      ModelDirectory.save(fresh, model);
      CheckpointFile.write(checkpoint, fresh);
      PairEncoder encoder = new PairEncoder(fresh.tokenizer(), LONGEST, 8);
      for (String c : COLOURS) {
        for (String other : COLOURS) {
          rows.add(row(encoder.encode(fresh.tokenizer().encode("what is " + c),
              fresh.tokenizer().encode("the " + other + " is the " + other)), LONGEST));
          idLines.add("q-" + c + "\tp-" + other);
        }
      }
    }
    records = write("eval.mindrecord", rows);
    ids = Files.write(folder.resolve("ids.tsv"), idLines);
    // brown is not judged; violet is judged and has no rows
    List<String> judged = new ArrayList<>(List.of("q-violet 0 p-red 1"));
    for (String c : COLOURS.subList(0, 5)) judged.add("q-" + c + " 0 p-" + c + " 1");
    qrels = Files.write(folder.resolve("qrels.tsv"), judged);
    Files.writeString(folder.resolve("groups.jsonl"), """
        {"query": "what is red", "pos": ["the red"], "neg": ["the blue", "the green"]}
        {"query": "what is blue", "pos": ["the blue"], "neg": ["the red", "the green"]}
        """.repeat(3));
  }

  private static Row row(EncodedPair pair, int length) {
    long[] tokens = new long[length], mask = new long[length], segments = new long[length];
    for (int i = 0; i < pair.length(); i++) {
      tokens[i] = pair.ids()[i];
      mask[i] = 1;
      segments[i] = i < pair.firstSegment() ? 0 : 1;
    }
    return new Row(Map.of("input_ids", new Cell.Wholes(tokens), "input_mask", new Cell.Wholes(mask), "segment_ids",
        new Cell.Wholes(segments)));
  }

  private static Path write(String name, List<Row> rows) {
    Column[] columns = rows.getFirst().cells().keySet().stream().sorted()
        .map(column -> Column.list(column, ColumnType.INT64)).toArray(Column[]::new);
    Path file = folder.resolve(name);
    try (MindRecordWriter writer =
        MindRecordWriter.create(file, Schema.of("pairs", columns), WriterOptions.standard(1))) {
      writer.write(rows);
      writer.finish();
    }
    return file;
  }

  /** The file of scores, from the model's own scores of the texts. */
  private static List<String> expectedScores() {
    List<String> lines = new ArrayList<>();
    try (Ranker ranker = Ranker.load(model)) {
      for (String c : COLOURS) {
        float[] scores = ranker.score("what is " + c, COLOURS.stream().map(o -> "the " + o + " is the " + o).toList());
        for (int i = 0; i < scores.length; i++) {
          lines.add("q-" + c + "\tp-" + COLOURS.get(i) + "\t" + RunWriter.score(scores[i]));
        }
      }
    }
    return lines;
  }

  /** MRR over the five queries in both files, by counting. */
  private static double mrr(List<String> scores) {
    Map<String, List<String[]>> byQuery = new HashMap<>();
    for (String line : scores) {
      byQuery.computeIfAbsent(line.split("\t")[0], q -> new ArrayList<>()).add(line.split("\t"));
    }
    double sum = 0;
    for (String c : COLOURS.subList(0, 5)) {
      List<String[]> list = byQuery.get("q-" + c);
      list.sort(Comparator.comparingDouble((String[] l) -> Double.parseDouble(l[2])).reversed());
      int rank = 1;
      while (!list.get(rank - 1)[1].equals("p-" + c)) rank++;
      sum += 1.0 / rank;
    }
    return sum / 5;
  }

  private static void assertClose(List<String> expected, List<String> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      String[] a = expected.get(i).split("\t"), b = actual.get(i).split("\t");
      assertArrayEquals(Arrays.copyOf(a, 2), Arrays.copyOf(b, 2));
      assertEquals(Float.parseFloat(a[2]), Float.parseFloat(b[2]), 1e-5f, "line " + i);
    }
  }

  private String printed(String measure) {
    int at = out.toString().lastIndexOf(measure + ":");
    assertTrue(at >= 0, out.toString());
    return out.toString().substring(at + measure.length() + 1).split("[,\\s]")[0];
  }

  @Test void directoryAndCheckpointGiveTheSameScores() throws IOException {
    Path to = folder.resolve("eval"), scores = folder.resolve("scores.txt");
    assertEquals(0, execute("eval", "--model", model.toString(), "--data", records.toString(), "--ids", ids.toString(),
        "--qrels", qrels.toString(), "--out", to.toString(), "--threads", "1"), err.toString());
    List<String> written = Files.readAllLines(to.resolve("scores.tsv"));
    assertClose(expectedScores(), written);
    assertEquals(mrr(written), Double.parseDouble(printed("mrr@10")), 1e-12);
    assertEquals(mrr(written), Double.parseDouble(printed("mrr@100")), 1e-12);
    assertTrue(out.toString().contains("queries     5                       6\n"), out.toString());
    assertTrue(Files.exists(to.resolve("run.trec")) && Files.exists(to.resolve("metrics.json")));
    Path heads = folder.resolve("config.json");
    assertEquals(0, execute("eval", "--model", checkpoint.toString(), "--model-config", heads.toString(), "--data",
        records.toString(), "--ids", ids.toString(), "--qrels", qrels.toString(), "--scores", scores.toString(),
        "--threads", "1"), err.toString());
    assertEquals(written, Files.readAllLines(scores), "bit for bit: the same weights");
  }

  private void assertFails(String message, String... more) {
    List<String> args = new ArrayList<>(List.of("eval", "--model", model.toString(), "--scores",
        folder.resolve("none").toString(), "--threads", "1"));
    args.addAll(List.of(more));
    assertEquals(1, execute(args.toArray(String[]::new)), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
    assertEquals(1, err.toString().lines().count(), err.toString());
    assertFalse(Files.exists(folder.resolve("none")));
  }

  @Test void whatDoesNotFitIsNamed() throws IOException {
    Path few = Files.writeString(folder.resolve("few.tsv"), "q p\n");
    assertFails(few + ": has 1 lines for the 36 rows of " + records, "--data", records.toString(), "--ids",
        few.toString(), "--qrels", qrels.toString());
    Path twice = Files.writeString(folder.resolve("twice.tsv"), "q\tp\nq\tp\n");
    assertFails(twice + ":2: query q has passage p a second time", "--data", records.toString(), "--ids",
        twice.toString(), "--qrels", qrels.toString());
    Path three = Files.writeString(folder.resolve("three.tsv"), "q 0 p\n");
    Path control = Files.writeString(folder.resolve("control"), "q p\001\n");
    assertFails(control + ":1: passage id \"p?\" has a blank or a control character", "--data", records.toString(),
        "--ids", control.toString(), "--qrels", qrels.toString());
    assertFails(three + ":1: ids have two columns, qid pid; here are 3", "--data", records.toString(), "--ids",
        three.toString(), "--qrels", qrels.toString());
    EncodedPair pair = new EncodedPair(new int[17], 2);
    Path longer = write("long.mindrecord", List.of(row(pair, 20)));
    assertFails(longer + ", row 0: has 17 tokens, the model reads 16 at most", "--data", longer.toString(), "--ids",
        few.toString(), "--qrels", qrels.toString());
    Path foreign = write("foreign.mindrecord", List.of(row(new EncodedPair(new int[] {2, 12, 3}, 2), 4),
        row(new EncodedPair(new int[] {2, 13, 3}, 2), 4)));
    Path two = Files.writeString(folder.resolve("two.tsv"), "q p\nq r\n");
    assertFails(foreign + ", row 1: input_ids has 13 at element 1, and the model embeds 13 words, from 0 on", "--data",
        foreign.toString(), "--ids", two.toString(), "--qrels", qrels.toString());
    Map<String, Cell> group = new HashMap<>(row(new EncodedPair(new int[8], 2), 8).cells());
    group.put("label_ids", new Cell.Wholes(new long[] {1, 0}));
    Path groups = write("groups.mindrecord", List.of(new Row(group)));
    assertFails(groups + ", row 0: is a group of 2 passages", "--data", groups.toString(), "--ids", few.toString(),
        "--qrels", qrels.toString());
    group.remove("input_mask");
    Path maskless = write("maskless.mindrecord", List.of(new Row(group)));
    assertFails("has no column input_mask; pairs have input_ids, input_mask, segment_ids", "--data",
        maskless.toString(), "--ids", few.toString(), "--qrels", qrels.toString());
    assertEquals(2, execute("eval", "--model", model.toString(), "--data", records.toString(), "--ids",
        ids.toString()));
    assertTrue(err.toString().contains("--qrels FILE is needed"), err.toString());
  }

  @Test void aCheckpointScoresTextsWithAVocabulary() throws IOException {
    Path pairs = Files.writeString(folder.resolve("pairs.tsv"), "what is red\tthe red\nwhat is blue\tthe red\n");
    Path a = folder.resolve("a.txt"), b = folder.resolve("b.txt");
    assertEquals(0, execute("score", "--model", model.toString(), "--pairs", pairs.toString(), "--out", a.toString(),
        "--threads", "1"), err.toString());
    String[] ckpt = {"score", "--model", checkpoint.toString(), "--model-config",
        folder.resolve("config.json").toString(), "--pairs", pairs.toString(), "--out", b.toString(), "--threads", "1"};
    assertEquals(1, execute(ckpt));
    assertTrue(err.toString().contains("has no vocab.txt or tokenizer.json and no vocabulary was named (--vocab)"),
        err.toString());
    String[] words = Arrays.copyOf(ckpt, ckpt.length + 2);
    words[ckpt.length] = "--vocab";
    words[ckpt.length + 1] = folder.resolve("vocab.txt").toString();
    assertEquals(0, execute(words), err.toString());
    assertEquals(Files.readAllLines(a), Files.readAllLines(b));
    assertEquals(1, execute("score", "--model", checkpoint.toString(), "--vocab", words[ckpt.length + 1], "--pairs",
        pairs.toString(), "--out", b.toString()));
    assertTrue(err.toString().contains("hidden size 16: no tensor tells how many heads share it"), err.toString());
  }

  private Path originalConfig(Path run, String more) throws IOException {
    return Files.writeString(folder.resolve("dyr_config.yaml"), """
        dyr_version: dyr_base
        do_train: "true"
        do_eval: "true"
        epoch_num: 2
        train_batch_size: 2
        group_size: 3
        train_data_file_path: %1$s/train.mindrecord
        load_pretrain_checkpoint_path: %1$s/model.ckpt
        save_finetune_checkpoint_path: %2$s
        eval_data_file_path: %1$s/eval.mindrecord
        eval_ids_path: %1$s/ids.tsv
        eval_qrels_path: %1$s/qrels.tsv
        save_score_path: %1$s/score.txt
        dyr_net_cfg:
          seq_length: 16
          vocab_size: 13
          hidden_size: 16
          num_hidden_layers: 2
          num_attention_heads: 2
          intermediate_size: 24
          max_position_embeddings: 16
          hidden_act: "gelu"
        %3$s
        """.formatted(folder, run, more));
  }

  @Test void theOriginalsConfigurationTrainsAndEvaluatesWithoutAnyOtherFile() throws IOException {
    assertEquals(0, execute("prepare", "--groups", folder.resolve("groups.jsonl").toString(), "--vocab",
        folder.resolve("vocab.txt").toString(), "--out", folder.resolve("train.mindrecord").toString(), "--group-size",
        "3", "--max-length", "16", "--max-query-length", "8"), err.toString());
    Path run = folder.resolve("run"), score = folder.resolve("score.txt");
    Path yaml = originalConfig(run, "");
    assertEquals(0, execute("train", "--config", yaml.toString(), "--set", "max_query_length=8", "--threads", "1"),
        err.toString());
    assertTrue(err.toString().contains("no vocabulary is known"), err.toString());
    List<String> trained = Files.readAllLines(score);
    assertEquals(36, trained.size());
    assertEquals(mrr(trained), Double.parseDouble(printed("mrr@10")), 1e-12);
    assertFalse(trained.equals(expectedScores()), "it has learnt");
    assertEquals(2, Files.readAllLines(run.resolve("evaluations.jsonl")).size(), "each epoch");
    try (var ckpts = Files.list(run.resolve("ckpt_0"))) {
      assertEquals(List.of("dyr_base-2_3.ckpt"), ckpts.map(f -> f.getFileName().toString()).toList(), "the newest");
    }
    assertSameWeights(run.resolve("model"), run.resolve("ckpt_0/dyr_base-2_3.ckpt"));

    Files.delete(score); // the same evaluation alone, of the directory that the training left
    assertEquals(0, execute("eval", "--config", yaml.toString(), "--threads", "1"), err.toString());
    assertEquals(trained, Files.readAllLines(score));
    Files.delete(score); // and of the checkpoint, whose heads the configuration tells
    yaml = originalConfig(run, "load_finetune_checkpoint_path: " + run.resolve("ckpt_0/dyr_base-2_3.ckpt"));
    assertEquals(0, execute("eval", "--config", yaml.toString(), "--threads", "1"), err.toString());
    assertEquals(trained, Files.readAllLines(score));
    yaml = originalConfig(folder.resolve("other"), "optimizer_cfg: {optimizer: Lamb}");
    Files.writeString(yaml, Files.readString(yaml).replace("intermediate_size: 24", "intermediate_size: 64"));
    assertEquals(1, execute("train", "--config", yaml.toString(), "--set", "max_query_length=8"));
    assertTrue(err.toString().contains("dyr_net_cfg.intermediate_size is 64, but " + checkpoint + " has 24"),
        err.toString());
    assertEquals(0, execute("train", "--config", originalConfig(run, "").toString(), "--set", "max_query_length=8",
        "--set", "epochs=3", "--resume", run.toString(), "--threads", "1"), err.toString());
    try (var ckpts = Files.list(run.resolve("ckpt_0"))) {
      assertEquals(List.of("dyr_base-3_3.ckpt"), ckpts.map(f -> f.getFileName().toString()).toList());
    }
  }

  /** An epoch of training would be lost on it otherwise. */
  @Test void judgementsOfOtherQueriesAreRefusedBeforeTheFirstStep() throws IOException {
    Path others = Files.writeString(folder.resolve("others.tsv"), "q-violet 0 p-red 1\n");
    Path run = folder.resolve("refused"), yaml = Files.writeString(folder.resolve("refused.yaml"), """
        groups: %1$s/groups.jsonl
        pretrained: %1$s/model
        out: %2$s
        group_size: 3
        max_length: 16
        max_query_length: 8
        eval_records: %3$s
        eval_ids: %4$s
        eval_qrels: %5$s
        """.formatted(folder, run, records, ids, others));
    assertEquals(1, execute("train", "--config", yaml.toString(), "--threads", "1"));
    assertEquals(("dyr train: no query of eval_qrels %s is in eval_ids %s, so the run cannot be evaluated: name files "
        + "that belong together, or leave out eval_records, eval_ids and eval_qrels\n").formatted(others, ids),
        err.toString());
    assertFalse(Files.exists(run.resolve("metrics.jsonl")));
  }

  private int trainOn(Path groups) throws IOException {
    Path yaml = Files.writeString(folder.resolve("groups.yaml"), """
        groups: %2$s
        pretrained: %1$s/model
        out: %1$s/of-%3$s
        group_size: 3
        max_length: 16
        max_query_length: 8
        max_steps: 1
        """.formatted(folder, groups, groups.getFileName()));
    return execute("train", "--config", yaml.toString(), "--threads", "1");
  }

  @Test void groupsOfTextMayHaveAnyName() throws IOException {
    Path groups = Files.copy(folder.resolve("groups.jsonl"), folder.resolve("mindrecord-negatives.jsonl"));
    assertEquals(0, trainOn(groups), err.toString());
    assertTrue(out.toString().contains("trained 1 steps"), out.toString());
  }

  /** A model without a vocabulary would ask for one, as texts need it and MindRecord does not. */
  @Test void groupsThatAreNotThereAreSaidToBeMissing() throws IOException {
    Path words = model.resolve("vocab.txt"), aside = Files.move(words, folder.resolve("aside.txt"));
    try {
      Path none = folder.resolve("trian.mindrecord");
      assertEquals(1, trainOn(none));
      assertTrue(err.toString().contains("dyr train: " + none + ": no such file or folder\n"), err.toString());
    } finally {
      Files.move(aside, words);
    }
  }

  private static void assertSameWeights(Path directory, Path ckpt) throws IOException {
    try (TensorFile a = TensorFiles.open(directory); TensorFile b = TensorFiles.open(ckpt)) {
      assertEquals(5 + 2 * 16 + 4, b.tensors().size());
      Map<String, byte[]> ours = new HashMap<>();
      for (StoredTensor t : a.tensors()) ours.put(t.name(), content(t));
      for (StoredTensor t : b.tensors()) {
        String name = BertNames.translate(t.name(), BertNames.Dialect.HUGGING_FACE).orElseThrow();
        assertArrayEquals(ours.remove(name), content(t), t.name());
      }
      assertTrue(ours.isEmpty());
    }
  }

  private static byte[] content(StoredTensor t) throws IOException {
    try (InputStream in = t.content().open()) {
      return in.readAllBytes();
    }
  }
}
