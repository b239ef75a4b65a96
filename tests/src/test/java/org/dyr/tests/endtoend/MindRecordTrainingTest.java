package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.formats.FormatException;
import org.dyr.ranker.cli.Main;
import org.dyr.ranker.train.Trainer;
import org.dyr.ranker.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups written as MindRecord train as the texts that they were made of. */
class MindRecordTrainingTest {
  @TempDir Path folder;

  private Path prepare(Path vocabulary, String option) {
    Path records = folder.resolve("train.mindrecord");
    int code = Main.commandLine().execute("prepare", "--data", folder.toString(), "--split", "train", "--vocab",
        vocabulary.toString(), "--out", records.toString(), "--group-size", "3", "--max-length", "24",
        "--max-query-length", "8", "--seed", "42", option);
    assertEquals(0, code);
    return records;
  }

  @ParameterizedTest
  @ValueSource(strings = {"--shards=1", "--shards=3", "--packed"})
  void anEpochFromRecordsHasTheLossesOfTheTexts(String option) throws IOException {
    TinyData data = TinyData.write(folder);
    Path records = prepare(folder.resolve("vocab.txt"), option);
    Path texts = folder.resolve("texts"), rows = folder.resolve("rows");
    Runs.train(data.config(texts, Map.of("max_steps", "4", "dev_split", "none", "seed", "42")));
    Runs.train(data.config(rows, Map.of("max_steps", "4", "seed", "42", "data", "", "groups",
        records + (option.equals("--shards=3") ? "0" : ""),
        "shuffle", "false")));
    assertEquals(Runs.metrics(texts), Runs.metrics(rows));
  }

  /** The kernels would read beside the table of words, and its gradient would be written there. */
  @Test void tokensOfAnotherVocabularyAreRefused() throws IOException {
    TinyData data = TinyData.write(folder);
    List<String> words = new ArrayList<>(Files.readAllLines(folder.resolve("vocab.txt")));
    for (int i = 0; i < TinyData.VOCABULARY; i++) words.add(5, "other" + i); // behind the special ones
    Path records = prepare(Files.write(folder.resolve("longer.txt"), words), "--packed");
    FormatException e = assertThrows(FormatException.class, () -> Runs.train(data.config(folder.resolve("run"),
        Map.of("data", "", "groups", records.toString()))));
    assertTrue(e.getMessage().matches(".*train\\.mindrecord, row \\d: input_ids has \\d+ at element 1, and the model "
        + "embeds 40 words, from 0 on: prepare the file with the model's vocabulary"), e.getMessage());
  }

  /** The key group_size says nothing of ready-made groups: memory is planned by what they are. */
  @Test void memoryIsPlannedByTheGroupsOfTheFile() throws IOException {
    TinyData data = TinyData.write(folder);
    String records = prepare(folder.resolve("vocab.txt"), "--packed").toString();
    Map<String, String> settings = Map.of("token_budget", "1024", "data", "", "groups", records);
    assertEquals(memory(data, "3", settings), memory(data, "8", settings));
    assertEquals(memory(data, "3", Map.of("token_budget", "1024", "dev_split", "none")), memory(data, "8", settings));
  }

  /** What a run says of its memory. */
  private String memory(TinyData data, String groupSize, Map<String, String> settings) throws IOException {
    Map<String, String> all = new HashMap<>(settings);
    all.put("group_size", groupSize);
    List<String> said = new ArrayList<>();
    TrainingListener listener = new TrainingListener() {
      @Override public void started(List<String> lines, long first, long total) {
        lines.stream().filter(line -> line.startsWith("memory: ")).forEach(said::add);
      }
    };
    Path out = Files.createTempDirectory(folder, "run");
    try (Trainer trainer =
        new Trainer(data.config(out, all), Optional.empty(), new Trainer.Watch(false, false), listener)) {
      assertFalse(trainer.run(() -> true));
    }
    return said.getFirst();
  }
}
