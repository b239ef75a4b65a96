package org.dyr.ranker.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dyr.formats.FormatException;
import org.dyr.formats.mindrecord.Cell;
import org.dyr.formats.mindrecord.Column;
import org.dyr.formats.mindrecord.ColumnType;
import org.dyr.formats.mindrecord.MindRecordWriter;
import org.dyr.formats.mindrecord.Row;
import org.dyr.formats.mindrecord.Schema;
import org.dyr.formats.mindrecord.WriterOptions;
import org.dyr.ranker.text.EncodedPair;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MindRecordGroupsTest {
  private static final int WORDS = 30_522;

  @TempDir private Path folder;

  private Path write(String name, Schema schema, int shards, List<Row> rows) {
    try (MindRecordWriter writer = MindRecordWriter.create(folder.resolve(name), schema,
        new WriterOptions(16 << 10, 32 << 10, true, shards, null))) {
      writer.write(rows);
      writer.finish();
      return writer.files().getFirst();
    }
  }

  private static void assertSame(EncodedPair wanted, EncodedPair got) {
    assertArrayEquals(wanted.ids(), got.ids());
    assertEquals(wanted.firstSegment(), got.firstSegment());
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void groupsComeBackWithoutPadding(boolean packed) {
    Random random = new Random(5);
    List<List<EncodedPair>> groups = new ArrayList<>();
    for (int g = 0; g < 40; g++) {
      List<EncodedPair> pairs = new ArrayList<>();
      for (int p = 0; p < 2 + random.nextInt(9); p++) {
        int[] ids = random.ints(2 + random.nextInt(30), 1, 30_522).toArray();
        pairs.add(new EncodedPair(ids, 1 + random.nextInt(ids.length)));
      }
      groups.add(pairs);
    }
    Path first = write("x.mindrecord", GroupRow.schema(packed), 3,
        groups.stream().map(group -> packed ? GroupRow.packed(group) : GroupRow.padded(group, 32)).toList());
    for (Path path : List.of(first, folder)) {
      try (MindRecordGroups read = MindRecordGroups.open(path, WORDS)) {
        assertEquals(groups.size(), read.count());
        for (int g = 0; g < groups.size(); g++) {
          List<EncodedPair> group = read.group(g);
          assertEquals(groups.get(g).size(), group.size());
          for (int p = 0; p < group.size(); p++) assertSame(groups.get(g).get(p), group.get(p));
        }
      }
    }
  }

  private static Row row(long[] ids, long[] mask, long[] segments, long[] labels) {
    return new Row(Map.of("input_ids", new Cell.Wholes(ids), "input_mask", new Cell.Wholes(mask),
        "segment_ids", new Cell.Wholes(segments), "label_ids", new Cell.Wholes(labels)));
  }

  @Test void thePositiveComesFirst() {
    Row row = row(new long[] {1, 2, 3, 4, 0, 0, 5, 6, 0}, new long[] {1, 1, 1, 1, 0, 0, 1, 1, 0},
        new long[] {0, 0, 1, 0, 0, 0, 0, 1, 0}, new long[] {0, 0, 1});
    Path file = write("p", GroupRow.schema(false), 1, List.of(row));
    try (MindRecordGroups groups = MindRecordGroups.open(file, 7)) { // 6 is the highest id
      List<EncodedPair> pairs = groups.group(0);
      assertSame(new EncodedPair(new int[] {5, 6}, 1), pairs.get(0));
      assertSame(new EncodedPair(new int[] {1, 2, 3}, 2), pairs.get(1));
      assertSame(new EncodedPair(new int[] {4}, 1), pairs.get(2));
    }
  }

  @Test void rowsThatAreNoGroupsAreNamed() {
    long[] four = {1, 2, 3, 4};
    long[] ones = {1, 1, 1, 1};
    long[] segments = {0, 1, 0, 1};
    Map<Row, String> wrong = Map.of(
        row(four, ones, segments, new long[] {0, 0}), "no 1",
        row(four, ones, segments, new long[] {1, 1}), "more than one",
        row(four, ones, segments, new long[] {1, 2}), "label_ids has a 2",
        row(four, ones, segments, new long[] {1, 0, 0}), "no equal share",
        row(four, new long[3], segments, new long[] {1, 0}), "4, 3 and 4",
        row(four, new long[] {1, 1, 0, 0}, segments, new long[] {1, 0}), "passage 1 has no token",
        row(four, ones, new long[] {1, 0, 0, 1}, new long[] {1, 0}), "segment_ids of passage 0",
        row(new long[] {1, -2, 3, 4}, ones, segments, new long[] {1, 0}), "input_ids has -2 at element 1",
        row(new long[] {1, 2, WORDS, 4}, ones, segments, new long[] {1, 0}),
        "input_ids has 30522 at element 2, and the model embeds 30522 words");
    wrong.forEach((row, words) -> {
      Path file = write("wrong", GroupRow.schema(false), 1, List.of(row));
      try (MindRecordGroups groups = MindRecordGroups.open(file, WORDS)) {
        String said = assertThrows(FormatException.class, () -> groups.group(0)).getMessage();
        assertTrue(said.contains("row 0") && said.contains(words), said);
      }
    });
    Row packed = row(four, new long[] {1, 1, 3, 3}, segments, new long[] {1, 0});
    Path packedFile = write("packed", GroupRow.schema(true), 1, List.of(packed));
    try (MindRecordGroups groups = MindRecordGroups.open(packedFile, WORDS)) {
      assertThrows(FormatException.class, () -> groups.group(0));
    }
  }

  @Test void filesThatAreNoGroupsAreRefused() throws IOException {
    Path other = write("other", Schema.of("", Column.list("input_ids", ColumnType.INT32)), 1, List.of());
    FormatException e = assertThrows(FormatException.class, () -> MindRecordGroups.open(other, WORDS));
    assertTrue(e.getMessage().contains("input_mask"), e.getMessage());
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThrows(DataException.class, () -> MindRecordGroups.open(empty, WORDS));
    Path good = write("good", GroupRow.schema(false), 1, List.of());
    Files.writeString(folder.resolve("good.db"), "nonsense");
    FormatException index = assertThrows(FormatException.class, () -> MindRecordGroups.open(good, WORDS));
    assertTrue(index.getMessage().contains("good.db"), index.getMessage());
  }

  @Test void theSampleReadsAsExpected() throws IOException {
    Path samples = Path.of(System.getProperty("DYR_SHARED", System.getenv().getOrDefault("DYR_SHARED", "../../shared")))
        .resolve("formats/samples");
    assumeTrue(Files.isDirectory(samples), "no sample files at " + samples + "; DYR_SHARED names their folder");
    JsonNode expected = new ObjectMapper().readTree(samples.resolve("expected/mindrecord-synthetic-dyr.json").toFile())
        .get(0).get("rows");
    Path file = samples.resolve("mindrecord/synthetic-dyr/dyr_tiny.mindrecord");
    try (MindRecordGroups groups = MindRecordGroups.open(file, WORDS)) {
      assertEquals(expected.size(), groups.count());
      for (int g = 0; g < groups.count(); g++) {
        JsonNode columns = expected.get(g).get("columns");
        List<EncodedPair> group = groups.group(g);
        assertEquals(columns.at("/label_ids/values").size(), group.size());
        assertEquals(1, columns.at("/label_ids/values/0").asInt());
        for (int p = 0; p < group.size(); p++) {
          List<Integer> ids = new ArrayList<>();
          int first = 0;
          for (int i = 16 * p; i < 16 * p + 16; i++) { // the sample's pairs are padded to 16
            if (columns.at("/input_mask/values/" + i).asInt() == 0) continue;
            ids.add(columns.at("/input_ids/values/" + i).asInt());
            if (columns.at("/segment_ids/values/" + i).asInt() == 0) first++;
          }
          assertSame(new EncodedPair(ids.stream().mapToInt(Integer::intValue).toArray(), first), group.get(p));
        }
      }
    }
  }
}
