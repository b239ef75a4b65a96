package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.dyr.ranker.cli.Main;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups written as MindRecord train as the texts that they were made of. */
class MindRecordTrainingTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"--shards=1", "--shards=3", "--packed"})
  void anEpochFromRecordsHasTheLossesOfTheTexts(String option) throws IOException {
    TinyData data = TinyData.write(folder);
    Path records = folder.resolve("train.mindrecord");
    int code = Main.commandLine().execute("prepare", "--data", folder.toString(), "--split", "train", "--vocab",
        folder.resolve("vocab.txt").toString(), "--out", records.toString(), "--group-size", "3", "--max-length", "24",
        "--max-query-length", "8", "--seed", "42", option);
    assertEquals(0, code);
    Path texts = folder.resolve("texts"), rows = folder.resolve("rows");
    Runs.train(data.config(texts, Map.of("max_steps", "4", "dev_split", "none", "seed", "42")));
    Runs.train(data.config(rows, Map.of("max_steps", "4", "seed", "42", "data", "", "groups",
        records + (option.equals("--shards=3") ? "0" : ""),
        "shuffle", "false")));
    assertEquals(Runs.metrics(texts), Runs.metrics(rows));
  }
}
