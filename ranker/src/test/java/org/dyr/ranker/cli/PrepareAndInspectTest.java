package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.ranker.data.JsonLinesGroups;
import org.dyr.ranker.data.MindRecordGroups;
import org.dyr.ranker.group.Group;
import org.dyr.ranker.group.GroupSampler;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Texts to MindRecord files and what is seen in them, through the command line. */
class PrepareAndInspectTest {
  private static final int MAX_LENGTH = 12;
  private static final int MAX_QUERY_LENGTH = 3;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir private Path folder;
  private Path vocabulary;
  private Path groups;

  @BeforeEach void texts() throws IOException {
    vocabulary = Files.write(folder.resolve("vocab.txt"),
        List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e"));
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 7; i++) {
      lines.append("{\"query\": \"a b ").append("c ".repeat(i)).append("\", \"pos\": [\"d d d\", \"")
          .append("e ".repeat(3 * i + 1)).append("\"], \"neg\": [\"a\", \"b b\", \"c c c\", \"d e\"]}\n");
    }
    groups = Files.writeString(folder.resolve("groups.jsonl"), lines);
  }

  private int execute(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  private String[] prepare(String out, String... more) {
    List<String> args = new ArrayList<>(List.of("prepare", "--groups", groups.toString(), "--vocab",
        vocabulary.toString(), "--out", folder.resolve(out).toString(), "--group-size", "4", "--max-length",
        "" + MAX_LENGTH, "--max-query-length", "" + MAX_QUERY_LENGTH, "--seed", "9", "--epoch", "2"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  @ParameterizedTest
  @CsvSource({"1,false", "1,true", "3,false", "20,true"})
  void whatIsPreparedIsWhatTheSamplerDraws(int shards, boolean packed) {
    String[] more = packed
        ? new String[] {"--shards", "" + shards, "--packed"} : new String[] {"--shards", "" + shards};
    assertEquals(0, execute(prepare("train.mindrecord", more)), err.toString());
    assertTrue(out.toString().startsWith("14 groups of 4 passages in "), out.toString());
    GroupSampler sampler = new GroupSampler(JsonLinesGroups.load(groups), 4, 9, true);
    String first = shards == 1 ? "train.mindrecord" : shards < 10 ? "train.mindrecord0" : "train.mindrecord00";
    try (Tokenizer tokenizer = Tokenizer.load(vocabulary);
        MindRecordGroups read = MindRecordGroups.open(folder.resolve(first), 11)) {
      PairEncoder encoder = new PairEncoder(tokenizer, MAX_LENGTH, MAX_QUERY_LENGTH);
      assertEquals(sampler.groupsPerEpoch(), read.count());
      for (int i = 0; i < read.count(); i++) {
        Group group = sampler.group(2, i);
        List<EncodedPair> pairs = read.group(i);
        assertEquals(group.passages().size(), pairs.size());
        for (int p = 0; p < pairs.size(); p++) {
          EncodedPair wanted = encoder.encode(tokenizer.encode(group.query().query()),
              tokenizer.encode(group.passages().get(p)));
          assertArrayEquals(wanted.ids(), pairs.get(p).ids());
          assertEquals(wanted.firstSegment(), pairs.get(p).firstSegment());
        }
      }
    }
  }

  @Test void aPaddedRowHasMaxLengthForEachPassage() throws IOException {
    assertEquals(0, execute(prepare("train.mindrecord")), err.toString());
    assertEquals(0, execute("inspect", folder.resolve("train.mindrecord").toString(), "--json", "--rows", "2"));
    JsonNode json = new ObjectMapper().readTree(out.toString());
    assertEquals(14, json.get("row_count").asInt());
    assertEquals(2, json.get("rows").size());
    assertEquals("equal to the page walk", json.get("index").asText());
    JsonNode columns = json.at("/rows/1/columns");
    for (String name : List.of("input_ids", "input_mask", "segment_ids")) {
      assertEquals(4 * MAX_LENGTH, columns.get(name).get("values").size());
    }
    assertEquals("[1,0,0,0]", columns.at("/label_ids/values").toString());
    assertEquals(2, columns.at("/input_ids/values/" + MAX_LENGTH).asInt()); // [CLS] of the second passage
  }

  @Test void inspectIsReadableToo() {
    assertEquals(0, execute(prepare("train.mindrecord", "--packed")), err.toString());
    assertEquals(0, execute("inspect", folder.resolve("train.mindrecord").toString(), "--rows", "1"));
    assertTrue(out.toString().contains("row_count: 14\n"), out.toString());
    assertTrue(out.toString().contains("\nrow 0\n"), out.toString());
    assertFalse(out.toString().contains("row 1\n"), out.toString());
    assertTrue(out.toString().lines().allMatch(line -> line.length() <= 120), out.toString());
  }

  @Test void aNameWithMindRecordDoesNotMakeAnotherFormatOne() throws IOException {
    Path tensors = Files.write(folder.resolve("mindrecord.safetensors"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'});
    assertEquals(0, execute("inspect", tensors.toString()), err.toString());
    assertTrue(out.toString().contains("format: safetensors\n"), out.toString());
    Path lines = Files.copy(groups, folder.resolve("mindrecord-negatives.jsonl"));
    assertEquals(1, execute("inspect", lines.toString()));
    assertTrue(err.toString().contains("is of no format known here"), err.toString());
    assertEquals(0, execute(prepare("mindrecord.json")), err.toString());
    assertEquals(0, execute("inspect", folder.resolve("mindrecord.json").toString()), err.toString());
    assertTrue(out.toString().contains("row_count: 14\n"), "its content is what counts");
  }

  @Test void whatCannotBeInspectedIsOneLine() throws IOException {
    Path text = Files.writeString(folder.resolve("notes.txt"), "nothing but text");
    assertEquals(1, execute("inspect", text.toString()));
    assertEquals("dyr inspect: " + text + ": is of no format known here: MindRecord, TFRecord, MindSpore checkpoint or "
        + "safetensors\n", err.toString());
    assertEquals(1, execute("inspect", folder.resolve("none").toString()));
    assertTrue(err.toString().endsWith("none: no such file\n"), err.toString());
    assertEquals(1, execute("inspect", folder.toString()));
    assertTrue(err.toString().contains("is no file"), err.toString());
    Path cut = Files.write(folder.resolve("cut.mindrecord"), new byte[20]);
    assertEquals(1, execute("inspect", cut.toString()));
    assertTrue(err.toString().startsWith("dyr inspect: " + cut + ", header: "), err.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"prepare --vocab v --out o", "prepare --data d --groups g --vocab v --out o",
      "prepare --groups g --vocab v --out o --shards 0", "prepare --groups g --vocab v --out o --epoch -1", "inspect",
      "inspect f --rows -1"})
  void wrongUsageIsTwo(String args) {
    assertEquals(2, execute(args.split(" ")), err.toString());
  }

  @Test void anOutputFolderThatIsNotThereFailsAndLeavesNothing() {
    assertEquals(1, execute(prepare("missing/train.mindrecord")));
    assertTrue(err.toString().contains("missing/train.mindrecord: cannot be written"), err.toString());
  }
}
