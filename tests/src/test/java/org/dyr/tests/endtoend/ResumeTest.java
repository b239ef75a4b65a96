package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.model.NotFiniteScoreException;
import org.dyr.ranker.train.ConfigException;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.Trainer;
import org.dyr.ranker.train.TrainingListener;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that goes on repeats, bit for bit, what an uninterrupted one does. */
class ResumeTest {
  private static final String MODEL = "model/model.safetensors";

  @TempDir Path folder;
  private TinyData data;
  private Path out;

  @BeforeEach
  void write() throws IOException {
    data = TinyData.write(folder);
    out = folder.resolve("run");
  }

  static List<String> sets() {
    return KernelSets.names();
  }

  private TrainConfig config(Path to, String... settings) {
    Map<String, String> map = new HashMap<>(Map.of("checkpoint_every", "4", "keep_checkpoints", "3", "eval_every",
        "3"));
    for (int i = 0; i < settings.length; i += 2) map.put(settings[i], settings[i + 1]);
    return data.config(to, map);
  }

  private static void assertSame(Path expected, Path actual) throws IOException {
    assertEquals(Runs.metrics(expected), Runs.metrics(actual));
    assertEquals(Files.readString(expected.resolve("evaluations.jsonl")),
        Files.readString(actual.resolve("evaluations.jsonl")));
    for (String file : List.of(MODEL, "best/model.safetensors")) {
      assertArrayEquals(Files.readAllBytes(expected.resolve(file)), Files.readAllBytes(actual.resolve(file)), file);
    }
  }

  @ParameterizedTest
  @MethodSource("sets")
  void fromACheckpoint(String set) throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole, "kernels", set));
    Runs.train(config(out, "kernels", set));
    assertEquals(8, Runs.metrics(out).size());
    Runs.train(config(out, "kernels", set), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertSame(whole, out);
  }

  @Test void aModelWithRelativePositions() throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole, "use_relative_positions", "true"));
    Runs.train(config(out, "use_relative_positions", "true"));
    Runs.train(config(out, "use_relative_positions", "true"), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertSame(whole, out);
  }

  @ParameterizedTest
  @CsvSource({"1, 5", "2, 3"})
  void afterARequestToStop(String accumulate, int stopAfter) throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole, "accumulate", accumulate));
    AtomicInteger steps = new AtomicInteger();
    assertFalse(Runs.train(config(out, "accumulate", accumulate), Optional.empty(),
        () -> steps.incrementAndGet() == stopAfter));
    assertEquals(stopAfter, Runs.metrics(out).size());
    assertTrue(Files.isDirectory(Runs.checkpoint(out, stopAfter)));
    assertFalse(Files.exists(out.resolve("model")));
    assertTrue(Runs.train(config(out, "accumulate", accumulate), Optional.of(out), () -> false));
    assertSame(whole, out);
    assertEquals(accumulate.equals("1") ? 6 : 12, sequences(out));
  }

  /** Ranks too: what they share and what they add has no order of its own. */
  @ParameterizedTest
  @CsvSource({"samples, dyr_base", "tokens, dyr"})
  void onRanks(String balance, String version) throws IOException {
    String[] settings = {"ranks", "4", "group_num", "2", "group_size", "4", "batch_groups", "1", "balance", balance,
        "version", version, "negatives_kept", "2"};
    Path whole = folder.resolve("whole");
    Runs.train(config(whole, settings));
    Runs.train(config(out, settings));
    assertEquals(8, sequences(out), "two groups of four");
    Runs.train(config(out, settings), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertSame(whole, out);
  }

  private static int sequences(Path out) throws IOException {
    return Integer.parseInt(Runs.metrics(out).getLast().replaceAll(".*sequences (\\d+).*", "$1"));
  }

  /** Groups and dropout follow from the seed: another seed would be another run. */
  @Test void anotherSeedIsRefused() throws IOException {
    Runs.train(config(out, "max_steps", "2"));
    ConfigException e = assertThrows(ConfigException.class,
        () -> Runs.train(config(out, "max_steps", "2", "seed", "43"), Optional.of(out), () -> false));
    assertEquals("seed is 43, the checkpoint was made with 42", e.getMessage());
  }

  /** A refused start must not have taken away the checkpoints that it did not like. */
  @Test void aRefusedStartLeavesTheCheckpoints() throws IOException {
    Runs.train(config(out));
    assertThrows(ConfigException.class, () -> Runs.train(config(out, "max_length", "40"),
        Optional.of(Runs.checkpoint(out, 4)), () -> false));
    assertEquals(List.of(Runs.checkpoint(out, 4), Runs.checkpoint(out, 8)), Runs.checkpoints(out));
  }

  /** A new run among the checkpoints of another would leave a mixture that resume takes for one run. */
  @Test void aFreshRunRefusesTheFolderOfAnother() throws IOException {
    Runs.train(config(out));
    List<String> before = Runs.metrics(out);
    ConfigException e = assertThrows(ConfigException.class, () -> Runs.train(config(out)));
    assertTrue(e.getMessage().startsWith("out " + out + " has the checkpoints of another run"), e.getMessage());
    assertEquals(before, Runs.metrics(out));
  }

  /** Nor does it take another run's folder when it goes on from a third. */
  @Test void aRunThatGoesOnRefusesTheFolderOfAnother() throws IOException {
    Path other = folder.resolve("other");
    Runs.train(config(other));
    Runs.train(config(out));
    List<String> before = Runs.metrics(out);
    ConfigException e = assertThrows(ConfigException.class,
        () -> Runs.train(config(out), Optional.of(Runs.checkpoint(other, 4)), () -> false));
    assertTrue(e.getMessage().startsWith("out " + out + " has the checkpoints of another run"), e.getMessage());
    assertEquals(before, Runs.metrics(out));
    assertEquals(List.of(Runs.checkpoint(out, 4), Runs.checkpoint(out, 8)), Runs.checkpoints(out));
  }

  /** In a folder of its own it makes a best model of its own. */
  @Test void elsewhereTheBestBeginsAnew() throws IOException {
    Runs.train(config(out));
    Path there = folder.resolve("there");
    Runs.train(config(there), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertTrue(Files.isRegularFile(there.resolve("best/model.safetensors")));
    assertArrayEquals(Files.readAllBytes(out.resolve(MODEL)), Files.readAllBytes(there.resolve(MODEL)));
  }

  /** Where another run left its logs and no checkpoint, nothing of them is taken for this one's. */
  @Test void elsewhereTheLogsBeginAnew() throws IOException {
    Runs.train(config(out));
    Path there = folder.resolve("there");
    Files.createDirectories(there);
    for (String log : List.of("metrics.jsonl", "evaluations.jsonl")) {
      Files.writeString(there.resolve(log), "{\"step\": 1, \"of\": \"another run\"}\n");
    }
    Runs.train(config(there), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertEquals(Runs.metrics(out).subList(4, 8), Runs.metrics(there));
    assertFalse(Files.readString(there.resolve("evaluations.jsonl")).contains("another run"));
  }

  /** It would go away with this run's next one. */
  @Test void elsewhereTheWeightsOfAnotherRunAreRefused() throws IOException {
    Runs.train(config(out, "save_ckpt", "true"));
    Path there = folder.resolve("there"), theirs = there.resolve("ckpt_0/dyr_base-1_4.ckpt");
    Files.createDirectories(theirs.getParent());
    Files.writeString(theirs, "theirs");
    ConfigException e = assertThrows(ConfigException.class, () -> Runs.train(config(there, "save_ckpt", "true"),
        Optional.of(Runs.checkpoint(out, 4)), () -> false));
    assertTrue(e.getMessage().startsWith(theirs + " is another run's"), e.getMessage());
    assertEquals("theirs", Files.readString(theirs));
  }

  @Test void otherDataIsRefused() throws IOException {
    Runs.train(config(out));
    List<String> queries = Files.readAllLines(folder.resolve("queries.train.tsv"));
    Files.write(folder.resolve("queries.train.tsv"), queries.subList(0, 7));
    for (String file : List.of("qrels.train.tsv", "candidates.train.tsv")) {
      String gone = queries.getLast().split("\t")[0] + "\t";
      Files.write(folder.resolve(file),
          Files.readAllLines(folder.resolve(file)).stream().filter(l -> !l.startsWith(gone)).toList());
    }
    ConfigException e = assertThrows(ConfigException.class,
        () -> Runs.train(config(out), Optional.of(Runs.checkpoint(out, 4)), () -> false));
    Path from = Runs.checkpoint(out, 4);
    assertEquals(("the data has 7 groups an epoch, and %s says 8: a run goes on with the data and relevant_from that "
        + "it began with; others begin another run with that model (pretrained: %s)").formatted(
        from.resolve("training.json"), from), e.getMessage());
    assertEquals(List.of(Runs.checkpoint(out, 4), Runs.checkpoint(out, 8)), Runs.checkpoints(out));
  }

  /** Checkpoints did not always say how many groups an epoch has. */
  @Test void aCheckpointThatDoesNotTellItsDataIsTaken() throws IOException {
    Path whole = folder.resolve("whole"), state = Runs.checkpoint(out, 4).resolve("training.json");
    Runs.train(config(whole));
    Runs.train(config(out));
    String json = Files.readString(state), older = json.replaceAll(",\\s*\"groups_per_epoch\" : 8", "");
    assertNotEquals(json, older);
    Files.writeString(state, older);
    Runs.train(config(out), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertSame(whole, out);
  }

  @Test void anotherDropoutIsTaken() throws IOException {
    Runs.train(config(out));
    List<String> losses = Runs.metrics(out);
    Runs.train(config(out, "dropout", "0.5"), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertEquals(losses.subList(0, 4), Runs.metrics(out).subList(0, 4));
    assertNotEquals(losses.get(4), Runs.metrics(out).get(4));
    assertTrue(Files.readString(out.resolve("model/config.json")).contains("\"hidden_dropout_prob\" : 0.5"));
  }

  @ParameterizedTest
  @CsvSource({"numerics, mindspore, huggingface", "use_relative_positions, true, false"})
  void whatChangesTheModelIsRefusedAndWhatDoesNotIsTaken(String key, String other, String same) throws IOException {
    Path whole = folder.resolve("whole"), from = Runs.checkpoint(out, 4);
    Runs.train(config(whole));
    Runs.train(config(out));
    ConfigException e = assertThrows(ConfigException.class,
        () -> Runs.train(config(out, key, other), Optional.of(from), () -> false));
    assertEquals(("%s is %s, and %s says otherwise: leave it out to go on, or begin another run with that model "
        + "(pretrained: %s)").formatted(key, other, from.resolve("config.json"), from), e.getMessage());
    assertTrue(Runs.train(config(out, key, same), Optional.of(from), () -> false));
    assertSame(whole, out);
  }

  /** Relative positions have no table that ends, but the model has a longest sequence all the same. */
  @Test void longerPassagesAreNotTakenForOtherNumerics() throws IOException {
    Runs.train(config(out, "use_relative_positions", "true"));
    ConfigException e = assertThrows(ConfigException.class, () -> Runs.train(
        config(out, "use_relative_positions", "true", "max_length", "40"), Optional.of(out), () -> false));
    assertEquals("max_length 40 is longer than the model's 32 positions", e.getMessage());
  }

  @Test void aSecondRunInOneFolderIsRefused() throws IOException, InterruptedException {
    TrainConfig config = config(out);
    try (Trainer first =
        new Trainer(config, Optional.empty(), new Trainer.Watch(false, false), new TrainingListener() {})) {
      ConfigException e = assertThrows(ConfigException.class, () -> Runs.train(config));
      assertTrue(e.getMessage().startsWith("another run is at work in out " + out), e.getMessage());
      Path yaml = Files.writeString(folder.resolve("train.yaml"), config.toYaml());
      try (CommandProcess third = new CommandProcess(folder, List.of("train", "--config", yaml.toString()))) {
        assertEquals(1, third.await(), "the second has not let go of the first one's lock");
        assertTrue(third.output().contains("another run is at work in out " + out), third.output());
      }
      assertTrue(first.run(() -> false));
    }
    Runs.train(config, Optional.of(out), () -> false);
  }

  /** It has taken no checkpoint along: the run goes on from the step before it. */
  @Test void afterAnEvaluationThatFailed() throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole));
    TrainingListener failing = new TrainingListener() {
      @Override public void evaluated(long step, Metrics metrics, boolean best) {
        throw new IllegalStateException("after step " + step);
      }
    };
    try (Trainer trainer =
        new Trainer(config(out), Optional.empty(), new Trainer.Watch(false, false), failing)) {
      Exception e = assertThrows(IllegalStateException.class, () -> trainer.run(() -> false));
      assertEquals("after step 3", e.getMessage());
    }
    assertEquals(List.of(Runs.checkpoint(out, 3)), Runs.checkpoints(out));
    Runs.train(config(out), Optional.of(out), () -> false);
    assertSame(whole, out);
  }

  /** A checkpoint speaks of no best model that is not there, and of the evaluation that is to be made up for. */
  @ParameterizedTest
  @ValueSource(strings = {"8", "3"})
  void afterABestModelThatCouldNotBeWritten(String steps) throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole, "max_steps", steps));
    TrainingListener inTheWay = new TrainingListener() {
      @Override public void started(List<String> lines, long first, long total) {
        try {
          Files.createDirectories(out.resolve("best"));
          Files.createDirectories(out.resolve(".replaced-best"));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    };
    try (Trainer trainer =
        new Trainer(config(out, "max_steps", steps), Optional.empty(), new Trainer.Watch(false, false), inTheWay)) {
      assertThrows(FileAlreadyExistsException.class, () -> trainer.run(() -> false));
    }
    assertFalse(Files.readString(Runs.checkpoint(out, 3).resolve("training.json")).contains("best"));
    for (int times = 0; times < 2; times++) { // the second time from a checkpoint of which all is done
      Runs.train(config(out, "max_steps", steps), Optional.of(Runs.checkpoint(out, 3)), () -> false);
      assertSame(whole, out);
    }
  }

  /** Eight groups in the order of the file, two a step; the fifth is long. */
  private TrainConfig withALongGroup(String... settings) throws IOException {
    String line = "{\"query\": \"where\", \"pos\": [\"%s\"], \"neg\": [\"red %1$s\", \"old %1$s\"]}";
    List<String> groups = new ArrayList<>(Collections.nCopies(8, line.formatted("river")));
    groups.set(4, line.formatted("river ".repeat(30).strip()));
    List<String> all = new ArrayList<>(List.of("data", "", "groups",
        Files.write(folder.resolve("groups.jsonl"), groups).toString(), "shuffle", "false"));
    all.addAll(List.of(settings));
    return config(out, all.toArray(String[]::new));
  }

  /** What the data has in its midst must not cost the steps before it. */
  @Test void afterAGroupThatIsTooLong() throws IOException {
    Exception e = assertThrows(IllegalArgumentException.class,
        () -> Runs.train(withALongGroup("token_budget", "32")));
    assertEquals("a group of 72 tokens does not fit token_budget 32: raise it, or lower max_length or group_size",
        e.getMessage());
    assertEquals(List.of(), List.of(e.getSuppressed()));
    assertEquals(List.of(Runs.checkpoint(out, 2)), Runs.checkpoints(out));
    assertEquals(2, Runs.metrics(out).size());
    Exception again = assertThrows(IllegalArgumentException.class,
        () -> Runs.train(withALongGroup("token_budget", "32"), Optional.of(out), () -> false));
    assertEquals(e.getMessage(), again.getMessage());
    assertTrue(Runs.train(withALongGroup("token_budget", "72"), Optional.of(out), () -> false));
    assertEquals(8, Runs.metrics(out).size());
  }

  /** Broken weights would take the place of the last checkpoint that is worth going on from. */
  @Test void afterAModelThatDoesNotScore() throws IOException {
    String[] settings = {"optimizer.name", "momentum", "optimizer.warmup_ratio", "0", "keep_checkpoints", "1",
        "eval_every", "2", "optimizer.learning_rate"};
    String[] high = Arrays.copyOf(settings, settings.length + 1), low = high.clone();
    high[settings.length] = "1e38";
    low[settings.length] = "1e-2";
    assertFalse(Runs.train(config(out, low), Optional.empty(), () -> true));
    byte[] good = Files.readAllBytes(Runs.checkpoint(out, 1).resolve("model.safetensors"));
    NotFiniteScoreException e = assertThrows(NotFiniteScoreException.class,
        () -> Runs.train(config(out, high), Optional.of(out), () -> false));
    assertTrue(e.getMessage().matches("the model gave .*; that is the model after step 2: a lower "
        + "optimizer.learning_rate may help; the last checkpoint is untouched"), e.getMessage());
    assertEquals(List.of(Runs.checkpoint(out, 1)), Runs.checkpoints(out));
    assertArrayEquals(good, Files.readAllBytes(Runs.checkpoint(out, 1).resolve("model.safetensors")));
  }

  /** What the dev set lacks is said before the first step. */
  @Test void aDevSetThatNobodyJudgedIsRefused() throws IOException {
    Files.writeString(folder.resolve("qrels.dev.tsv"), "");
    ConfigException e = assertThrows(ConfigException.class, () -> Runs.train(config(out)));
    assertTrue(e.getMessage().contains("qrels.dev.tsv") && e.getMessage().contains("dev_split: none"), e.getMessage());
  }

  @Test void leftoversOfAKilledProcessAreCleared() throws IOException {
    Runs.train(config(out));
    byte[] model = Files.readAllBytes(out.resolve(MODEL));
    Files.createDirectories(out.resolve("checkpoints/.prepared-step-000012"));
    Files.createDirectories(out.resolve("checkpoints/.removed-step-000002"));
    Files.writeString(out.resolve("checkpoints/.removed-step-000002/config.json"), "{}");
    Files.writeString(out.resolve(".metrics.jsonl.0123456789abcdef.tmp"), "half");
    Files.move(out.resolve("model"), out.resolve(".replaced-model"));
    Files.createDirectories(out.resolve(".prepared-model"));
    Path ours = out.resolve("ckpt_0/.dyr_base-1_4.ckpt.0123456789abcdef.tmp");
    Files.createDirectories(ours.getParent());
    Files.writeString(ours, "half");
    Path theirs = Files.writeString(out.resolve(".scores.tsv.0123456789abcdef.tmp"), "of dyr eval, which is at work");
    Path folderOfTheirs = Files.createDirectories(out.resolve(".mine.tmp"));
    Runs.train(config(out, "save_ckpt", "true"), Optional.of(out), () -> false);
    assertEquals(List.of(folderOfTheirs, theirs), Runs.leftovers(out));
    assertFalse(Files.exists(ours));
    assertArrayEquals(model, Files.readAllBytes(out.resolve(MODEL)));
  }

  /** The last line was cut by the kill; the steps after the checkpoint are made anew. */
  @Test void aTornLineOfMetricsIsCutOff() throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole));
    Runs.train(config(out));
    String metrics = Files.readString(out.resolve("metrics.jsonl"));
    Files.writeString(out.resolve("metrics.jsonl"), metrics.substring(0, metrics.length() - 20));
    Runs.train(config(out), Optional.of(Runs.checkpoint(out, 4)), () -> false);
    assertSame(whole, out);
  }

  /** Names of files and tensors have the digits that the patterns look for, whatever those of the user's language. */
  @Test void whereDigitsAreOthers() throws IOException {
    Path whole = folder.resolve("whole");
    Runs.train(config(whole));
    TrainConfig config = config(out, "save_ckpt", "true");
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("fa-u-nu-arabext"));
    try {
      assertNotEquals("1", "%d".formatted(1), "a locale with digits of its own");
      AtomicInteger steps = new AtomicInteger();
      assertFalse(Runs.train(config, Optional.empty(), () -> steps.incrementAndGet() == 5));
      assertTrue(Runs.train(config, Optional.of(out), () -> false));
      Path ckpt = out.resolve("ckpt_0/dyr_base-2_4.ckpt");
      assertTrue(Files.exists(ckpt));
      assertEquals(2, new ModelSource(ckpt, Optional.empty(), Optional.empty(), 2).bert().layers());
    } finally {
      Locale.setDefault(before);
    }
    assertSame(whole, out);
    assertTrue(Runs.checkpoints(out).contains(Runs.checkpoint(out, 5)));
  }
}
