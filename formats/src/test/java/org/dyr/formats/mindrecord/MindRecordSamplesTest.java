package org.dyr.formats.mindrecord;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.dyr.formats.SharedSamples;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of MindSpore, read as expected and written again byte for byte. */
class MindRecordSamplesTest {
  @TempDir private Path temporary;

  @ParameterizedTest
  @ValueSource(strings = {"synthetic-dyr", "v2-arrays", "v2-nlp-legacy", "v3-graph"})
  void readsAsExpected(String sample) throws IOException {
    MindRecordInspector inspector = new MindRecordInspector();
    for (JsonNode expected : SharedSamples.expected("mindrecord-" + sample + ".json")) {
      Path file = SharedSamples.folder().resolve(expected.get("file").asText());
      assertTrue(inspector.reads(file));
      ObjectNode wanted = (ObjectNode) expected.deepCopy();
      wanted.remove(List.of("file", "sha256"));
      ObjectNode got = (ObjectNode) SharedSamples.reread(inspector.inspect(file, Integer.MAX_VALUE));
      got.remove("file");
      assertEquals(wanted, got);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"synthetic-dyr", "v2-arrays", "v2-nlp-legacy", "v3-graph"})
  void writesTheSameBytes(String sample) throws IOException, SQLException {
    JsonNode expected = SharedSamples.expected("mindrecord-" + sample + ".json");
    Path first = SharedSamples.folder().resolve(expected.get(0).get("file").asText());
    List<Path> files;
    try (MindRecordReader all = MindRecordReader.open(first)) {
      files = all.files();
    }
    assertEquals(expected.size(), files.size());
    Header header;
    try (ShardReader shard = ShardReader.open(first)) {
      header = shard.header();
    }
    WriterOptions options = new WriterOptions(header.headerSize(), header.pageSize(), header.packed(), files.size(),
        header.indexFields());
    List<String> names = files.stream().map(file -> file.getFileName().toString()).toList();
    try (MindRecordWriter writer = MindRecordWriter.create(temporary.resolve("x"), header.schema(), options, names)) {
      for (int i = 0; i < files.size(); i++) {
        List<Row> rows = new ArrayList<>();
        try (MindRecordReader shard = MindRecordReader.open(List.of(files.get(i)))) {
          shard.rows().forEachRemaining(rows::add);
        }
        writer.write(i, rows);
      }
      writer.finish();
    }
    try (var written = Files.list(temporary)) {
      assertEquals(2L * files.size(), written.count());
    }
    for (Path file : files) {
      Path copy = temporary.resolve(file.getFileName());
      assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(copy), file.toString());
      assertEquals(tables(IndexFile.of(file)), tables(IndexFile.of(copy)));
    }
  }

  /** The cells of all tables, and the primary key's columns, as text. */
  private static List<String> tables(Path database) throws SQLException {
    List<String> cells = new ArrayList<>();
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:file:" + database.toAbsolutePath()
        + "?mode=ro&immutable=1"); Statement statement = connection.createStatement()) {
      List<String> names = new ArrayList<>();
      try (ResultSet tables = statement.executeQuery("SELECT name FROM sqlite_master WHERE type = 'table'")) {
        while (tables.next()) names.add(tables.getString(1));
      }
      for (String name : new TreeSet<>(names)) {
        try (ResultSet columns = statement.executeQuery("PRAGMA table_info(" + name + ")")) {
          while (columns.next()) {
            cells.add(name + "." + columns.getString("name") + " " + columns.getString("type") + " "
                + columns.getInt("notnull") + " " + columns.getInt("pk"));
          }
        }
        try (ResultSet rows = statement.executeQuery("SELECT * FROM " + name)) {
          while (rows.next()) {
            for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
              Object value = rows.getObject(i);
              cells.add(value.getClass().getSimpleName() + " " + value);
            }
          }
        }
      }
    }
    return cells;
  }
}
