package org.dyr.formats.mindrecord;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.dyr.formats.FormatException;
import org.dyr.io.AtomicFiles;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Round trips over many pages and shards, and files that are not what they should be. */
class MindRecordFilesTest {
  private static final int HEADER = 16 << 10;
  private static final int PAGE = 32 << 10;
  private static final Schema ALL = Schema.of("all types", Column.list("ids", ColumnType.INT64),
      new Column("pairs", ColumnType.INT32, List.of(-1L, 2L)), Column.list("halves", ColumnType.FLOAT32),
      Column.list("doubles", ColumnType.FLOAT64), Column.scalar("blob", ColumnType.BYTES),
      Column.scalar("text", ColumnType.STRING), Column.scalar("count", ColumnType.INT32),
      Column.scalar("big", ColumnType.INT64), Column.scalar("score", ColumnType.FLOAT64));

  @TempDir private Path folder;

  private static Row row(Random random, int number) {
    long[] ids = new long[random.nextInt(300)];
    for (int i = 0; i < ids.length; i++) ids[i] = random.nextLong() >> random.nextInt(64);
    long[] pairs = new long[2 * random.nextInt(5)];
    for (int i = 0; i < pairs.length; i++) pairs[i] = random.nextInt();
    byte[] blob = new byte[random.nextInt(50)];
    random.nextBytes(blob);
    return new Row(Map.of("ids", new Cell.Wholes(ids), "pairs", new Cell.Wholes(pairs),
        "halves", new Cell.Reals(new double[] {number / 4.0, -1}),
        "doubles", new Cell.Reals(new double[] {Math.PI * number}),
        "blob", new Cell.Binary(blob), "text", new Cell.Text("Zürich \u4e2d ".repeat(random.nextInt(120))),
        "count", new Cell.Whole(random.nextInt()), "big", new Cell.Whole(random.nextLong()),
        "score", new Cell.Real(random.nextDouble())));
  }

  private static List<Row> rows(int count) {
    Random random = new Random(7);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) rows.add(row(random, i));
    return rows;
  }

  private Path write(String name, Schema schema, boolean version3, int shards, List<List<Row>> calls) {
    Path target = folder.resolve(name);
    try (MindRecordWriter writer = MindRecordWriter.create(target, schema,
        new WriterOptions(HEADER, PAGE, version3, shards, null))) {
      calls.forEach(writer::write);
      writer.finish();
      return writer.files().getFirst();
    }
  }

  private static void assertSame(Row wanted, Row got) {
    assertEquals(wanted.cells().keySet(), new HashSet<>(got.cells().keySet()));
    wanted.cells().forEach((name, cell) -> {
      Cell other = got.cells().get(name);
      switch (cell) {
        case Cell.Wholes array -> assertArrayEquals(array.values(), ((Cell.Wholes) other).values(), name);
        case Cell.Reals array -> assertArrayEquals(array.values(), ((Cell.Reals) other).values(), name);
        case Cell.Binary bytes -> assertArrayEquals(bytes.value(), ((Cell.Binary) other).value(), name);
        default -> assertEquals(cell, other, name);
      }
    });
  }

  @ParameterizedTest
  @CsvSource({"true,1,400", "true,1,1", "true,1,13", "false,1,50", "true,3,100", "false,12,77"})
  void readsWhatWasWritten(boolean version3, int shards, int rowsPerCall) {
    List<Row> rows = rows(400);
    List<List<Row>> calls = new ArrayList<>();
    for (int i = 0; i < rows.size(); i += rowsPerCall) {
      calls.add(rows.subList(i, Math.min(rows.size(), i + rowsPerCall)));
    }
    Path first = write("data.mindrecord", ALL, version3, shards, calls);
    assertEquals(shards == 1 ? "data.mindrecord" : shards == 3 ? "data.mindrecord0" : "data.mindrecord00",
        first.getFileName().toString());
    List<Row> order = new ArrayList<>();
    for (int shard = 0; shard < shards; shard++) {
      for (List<Row> call : calls) {
        int each = call.size() / shards;
        int longer = call.size() % shards;
        int from = shard * each + Math.min(shard, longer);
        order.addAll(call.subList(from, from + each + (shard < longer ? 1 : 0)));
      }
    }
    try (MindRecordReader reader = MindRecordReader.open(first)) {
      assertEquals(ALL, reader.schema());
      assertEquals(400, reader.count());
      reader.checkIndexes();
      Random random = new Random(1);
      for (int i = 0; i < 50; i++) {
        int number = random.nextInt(400);
        assertSame(order.get(number), reader.row(number));
      }
      Iterator<Row> streamed = reader.rows();
      for (Row wanted : order) assertSame(wanted, streamed.next());
      assertFalse(streamed.hasNext());
    }
  }

  @Test void onlyScalarsOnlyArraysAndNoRows() {
    Schema scalars = Schema.of("", Column.scalar("a", ColumnType.INT32));
    Schema arrays = Schema.of("", Column.list("a", ColumnType.INT32));
    Row scalar = new Row(Map.of("a", new Cell.Whole(-40)));
    Row array = new Row(Map.of("a", new Cell.Wholes(new long[] {1, 2, 300, 70_000, -5})));
    for (var test : Map.of(scalars, scalar, arrays, array).entrySet()) {
      Path file = write("x" + test.getValue().hashCode(), test.getKey(), true, 1, List.of(List.of(test.getValue())));
      try (MindRecordReader reader = MindRecordReader.open(file)) {
        reader.checkIndexes();
        assertSame(test.getValue(), reader.row(0));
      }
    }
    Path none = write("none", arrays, true, 1, List.of());
    try (MindRecordReader reader = MindRecordReader.open(none)) {
      reader.checkIndexes();
      assertEquals(0, reader.count());
      assertFalse(reader.rows().hasNext());
    }
  }

  @Test void theWriterRefusesRowsThatDoNotFitAndLeavesNothing() throws IOException {
    Schema schema = Schema.of("", Column.list("a", ColumnType.INT32));
    for (Map<String, Cell> cells : List.<Map<String, Cell>>of(Map.of(), Map.of("a", new Cell.Whole(1)),
        Map.of("a", new Cell.Wholes(new long[] {1L << 40})), Map.of("a", new Cell.Wholes(new long[PAGE])))) {
      try (MindRecordWriter writer = MindRecordWriter.create(folder.resolve("w"), schema,
          new WriterOptions(HEADER, PAGE, true, 2, null))) {
        assertThrows(IllegalArgumentException.class, () -> writer.write(List.of(new Row(cells))));
        assertThrows(IllegalStateException.class, writer::finish);
      }
    }
    try (var left = Files.list(folder)) {
      assertEquals(0, left.count());
    }
  }

  @Test void namesOfShardsHaveTheSameDigitsEverywhere() {
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("fa-u-nu-arabext"));
    try {
      Path first = write("data.mindrecord", ALL, true, 12, List.of(rows(12)));
      assertEquals("data.mindrecord00", first.getFileName().toString());
    } finally {
      Locale.setDefault(before);
    }
  }

  // --- data sets that replace others ---

  private void assertReads(Path first, int rows) {
    try (MindRecordReader reader = MindRecordReader.open(first)) {
      reader.checkIndexes();
      assertEquals(rows, reader.count());
    }
  }

  @Test void aDataSetReplacesTheOneOfItsNames() throws IOException {
    for (int shards : new int[] {1, 3}) {
      write("again.mindrecord", ALL, true, shards, List.of(rows(9)));
      assertReads(write("again.mindrecord", ALL, true, shards, List.of(rows(12))), 12);
    }
    try (var left = Files.list(folder)) {
      assertEquals(2 + 6, left.count());
    }
  }

  @Test void aFolderInItsWayIsNamedAndWhatWasThereStays() throws IOException {
    Path first = write("many.mindrecord", ALL, true, 3, List.of(rows(9)));
    Path inTheWay = folder.resolve("many.mindrecord2.db");
    Files.delete(inTheWay);
    Files.createDirectory(inTheWay);
    Files.createDirectory(inTheWay.resolve("full"));
    UncheckedIOException e = assertThrows(UncheckedIOException.class,
        () -> write("many.mindrecord", ALL, true, 3, List.of(rows(12))));
    assertTrue(e.getMessage().startsWith(inTheWay + ": cannot be written: "), e.getMessage());
    AtomicFiles.removeTree(inTheWay);
    assertReads(first, 9);
    try (var left = Files.list(folder)) {
      assertEquals(5, left.count());
    }
  }

  /** Old and new shards have the same names and the same schema: a mixture would look whole. */
  @Test void aReplacementThatIsCutShortLacksAShard() throws IOException {
    Path first = write("many.mindrecord", ALL, true, 3, List.of(rows(9)));
    Files.createDirectory(folder.resolve("new"));
    Path staged = write("new/many.mindrecord", ALL, true, 3, List.of(rows(12)));
    Files.delete(staged.resolveSibling("many.mindrecord1"));
    assertThrows(NoSuchFileException.class, () -> MindRecordWriter.publish(staged.getParent(), first.getParent(),
        List.of("many.mindrecord0", "many.mindrecord1", "many.mindrecord2")));
    assertSays(assertThrows(FormatException.class, () -> MindRecordReader.open(first)), "many.mindrecord1",
        "not in the folder");
  }

  // --- files that are not what they should be ---

  private Path dyr() {
    Schema schema = Schema.of("", Column.list("a", ColumnType.INT64), Column.list("b", ColumnType.INT32));
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      rows.add(new Row(Map.of("a", new Cell.Wholes(new long[] {i, 1000L * i}),
          "b", new Cell.Wholes(new long[] {1, 2}))));
    }
    return write("bad.mindrecord", schema, true, 1, List.of(rows));
  }

  private static void patch(Path file, long position, int... bytes) throws IOException {
    try (RandomAccessFile raw = new RandomAccessFile(file.toFile(), "rw")) {
      raw.seek(position);
      for (int b : bytes) raw.write(b);
    }
  }

  private static FormatException refused(Path file) {
    return assertThrows(FormatException.class, () -> {
      try (MindRecordReader reader = MindRecordReader.open(file)) {
        reader.rows().forEachRemaining(row -> {
        });
      }
    });
  }

  private static void assertSays(FormatException e, String... words) {
    for (String word : words) assertTrue(e.getMessage().contains(word), e.getMessage());
  }

  @Test void everyTruncationIsOneClearError() throws IOException {
    Path file = dyr();
    byte[] whole = Files.readAllBytes(file);
    for (int length : new int[] {0, 3, 7, 8, 9, 200, HEADER, HEADER + 1, HEADER + PAGE, whole.length - 1}) {
      Files.write(file, Arrays.copyOf(whole, length));
      FormatException e = refused(file);
      assertSays(e, "bad.mindrecord");
      if (length >= HEADER) assertSays(e, "page", "cut short");
    }
  }

  @Test void lengthsThatLieAreNamedByPageAndRow() throws IOException {
    Path file = dyr();
    byte[] whole = Files.readAllBytes(file);
    long secondBlob = HEADER + 8 + whole[HEADER]; // the first record is short
    patch(file, secondBlob, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    assertSays(refused(file), "page 0, row 1");
    patch(file, secondBlob, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    assertSays(refused(file), "page 0, row 1", "18446744073709551615");
    Files.write(file, whole);
    patch(file, HEADER + 8, 0x7f, 0xff); // inner length of column a
    assertSays(refused(file), "page 0, row 0", "column a");
    Files.write(file, whole);
    patch(file, HEADER + 16, 0xff, 0xff, 0xff, 0xff); // packed count of column a
    assertSays(refused(file), "page 0, row 0", "column a", "4294967295");
    Files.write(file, whole);
    patch(file, HEADER + 20, 0xf0); // width codes: two elements of 8 bytes
    assertSays(refused(file), "page 0, row 0", "column a", "element 0");
    Files.write(file, whole);
    patch(file, HEADER + PAGE + 13, 6); // second raw record
    assertSays(refused(file), "page 1, row 2", "30 are left");
    Files.write(file, whole);
    patch(file, HEADER + PAGE + 8, 0xdf); // a map of 2^31 and more entries
    assertSays(refused(file), "page 1, row 0");
    Files.write(file, whole);
    patch(file, HEADER + PAGE + 8, 0xdb, 0x7f, 0xff, 0xff, 0xff);
    assertSays(refused(file), "page 1, row 0");
  }

  @Test void headersThatLie() throws IOException {
    Path file = dyr();
    byte[] whole = Files.readAllBytes(file);
    String text = new String(whole, 0, 2000, StandardCharsets.ISO_8859_1);
    String[][] lies = {
        {"\"end_row_id\":5", "\"end_row_id\":7", "page 1, row 5"},
        {"\"end_row_id\":5", "\"end_row_id\":9", "65 bytes for the records of 9 rows"},
        {"\"end_row_id\":5", "\"end_row_id\":4", "page"},
        {"\"start_row_id\":0}", "\"start_row_id\":1}", "start_row_id"},
        {"\"page_size\":65,", "\"page_size\":66,", "page 1"},
        {"\"header_size\":16384", "\"header_size\":99999", "header"},
        {"\"header_size\":16384", "\"header_size\":-6384", "header_size"},
        {"\"version\":\"3.0\"", "\"version\":\"4.0\"", "version"},
        {"\"int64\"", "\"int99\"", "int99"},
        {"\"page_type\":\"RAW_DATA\"", "\"page_type\":\"RAW_DATE\"", "page_type"},
        {"[-1]", "[-2]", "shape"},
        {"\"b\"]", "\"c\"]", "blob_fields"},
        {"{\"header_size\"", "[\"header_size\"", "JSON"}};
    for (String[] lie : lies) {
      int at = text.indexOf(lie[0]);
      assertTrue(at > 0, lie[0]);
      byte[] bytes = whole.clone();
      System.arraycopy(lie[1].getBytes(StandardCharsets.ISO_8859_1), 0, bytes, at, lie[1].length());
      Files.write(file, bytes);
      assertSays(refused(file), lie[2]);
    }
    patchLength(file, whole, 0xff);
    patchLength(file, whole, 0x07);
  }

  private static void patchLength(Path file, byte[] whole, int top) throws IOException {
    Files.write(file, whole);
    patch(file, 0, 0xff, 0xff, 0xff, top);
    assertSays(refused(file), "header");
  }

  @Test void noChangeOfOneByteIsMoreThanAFormatException() throws IOException {
    Path file = dyr();
    byte[] whole = Files.readAllBytes(file);
    Random random = new Random(3);
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
      byte[] bytes = whole.clone();
      int at = switch (i % 3) {
        case 0 -> random.nextInt(900);
        case 1 -> HEADER + random.nextInt(200);
        default -> HEADER + PAGE + random.nextInt(65);
      };
      bytes[at] = (byte) random.nextInt(256);
      Files.write(file, bytes);
      try (MindRecordReader reader = MindRecordReader.open(List.of(file))) {
        reader.rows().forEachRemaining(row -> {
        });
      } catch (FormatException e) {
        refused++;
      }
    }
    assertTrue(refused > 500, refused + " refused");
  }

  @Test void missingShardsAndIndexes() throws IOException {
    Path first = write("many.mindrecord", ALL, true, 3, List.of(rows(9)));
    Path second = folder.resolve("many.mindrecord1");
    Files.delete(folder.resolve("many.mindrecord2.db"));
    try (MindRecordReader reader = MindRecordReader.open(first)) {
      reader.checkIndexes(); // a missing index is no fault
      assertEquals(9, reader.count());
    }
    Path renamed = folder.resolve("elsewhere");
    Files.move(second, renamed);
    assertSays(assertThrows(FormatException.class, () -> MindRecordReader.open(first)), "many.mindrecord1",
        "not in the folder");
    try (MindRecordReader reader = MindRecordReader.open(List.of(renamed))) {
      assertEquals(3, reader.count());
    }
    assertSays(assertThrows(FormatException.class, () -> MindRecordReader.open(List.of(first, dyr()))),
        "bad.mindrecord", "is not that of");
  }

  @Test void anIndexThatDisagreesIsSaid() throws IOException {
    Path file = dyr();
    Path index = folder.resolve("bad.mindrecord.db");
    MindRecordInspector inspector = new MindRecordInspector();
    assertEquals("equal to the page walk", inspector.inspect(file, 0).get("index").asText());
    try (var connection = DriverManager.getConnection("jdbc:sqlite:" + index);
        var statement = connection.createStatement()) {
      statement.executeUpdate("UPDATE INDEXES SET PAGE_OFFSET_BLOB = 1 WHERE ROW_ID = 3");
    } catch (SQLException e) {
      throw new IOException(e);
    }
    String said = inspector.inspect(file, 0).get("index").asText();
    assertTrue(said.contains("row 3") && said.contains("PAGE_OFFSET_BLOB"), said);
    try (MindRecordReader reader = MindRecordReader.open(file)) {
      assertSays(assertThrows(FormatException.class, reader::checkIndexes), "bad.mindrecord.db", "row 3");
    }
    Files.write(index, new byte[] {1, 2, 3});
    assertTrue(inspector.inspect(file, 0).get("index").asText().contains("no MindRecord index"));
    Files.delete(index);
    assertEquals("absent", inspector.inspect(file, 0).get("index").asText());
    Path copy = Files.move(file, folder.resolve("renamed"));
    Path other = dyr();
    Files.move(IndexFile.of(other), folder.resolve("renamed.db"));
    assertTrue(inspector.inspect(copy, 0).get("index").asText().contains("bad.mindrecord"));
    assertTrue(inspector.reads(copy));
    assertFalse(inspector.reads(folder.resolve("renamed.db")));
  }

  @Test void anIndexWithOtherValuesIsSaid() throws IOException, SQLException {
    Path file = write("values.mindrecord", ALL, true, 1, List.of(rows(4)));
    for (String change : List.of("text_0 = 'other' WHERE ROW_ID = 2", "score_0 = 0.5 WHERE ROW_ID = 1",
        "big_0 = 0 WHERE ROW_ID = 0")) {
      try (var connection = DriverManager.getConnection("jdbc:sqlite:" + IndexFile.of(file));
          var statement = connection.createStatement()) {
        statement.executeUpdate("UPDATE INDEXES SET " + change);
      }
      String said = new MindRecordInspector().inspect(file, 0).get("index").asText();
      assertTrue(said.contains(change.substring(0, change.indexOf("_0"))), said);
    }
  }

  @Test void encryptedFilesAreRefused() throws IOException {
    Path file = folder.resolve("secret.mindrecord");
    Files.write(file, "............AES-GCMENCRYPT".getBytes(StandardCharsets.US_ASCII));
    assertSays(refused(file), "encrypted");
  }
}
