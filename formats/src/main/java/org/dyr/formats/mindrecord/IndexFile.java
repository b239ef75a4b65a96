package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.sqlite.SQLiteConfig;

/** The SQLite file beside a shard: where each row lies, and for indexed columns its values. It says nothing new. */
final class IndexFile {
  private static final List<String> PLACES = List.of("PAGE_ID_RAW", "PAGE_OFFSET_RAW", "PAGE_OFFSET_RAW_END",
      "ROW_GROUP_ID", "PAGE_ID_BLOB", "PAGE_OFFSET_BLOB", "PAGE_OFFSET_BLOB_END");
  private static final int ROWS_PER_BATCH = 1024;

  private IndexFile() {}

  /** The index of a data file: its name and {@code .db}. */
  static Path of(Path data) {
    return data.resolveSibling(data.getFileName() + ".db");
  }

  private static Connection connect(Path file, String mode, SQLiteConfig config) throws SQLException {
    // As a URI every character of a path is a character of the path.
    return config.createConnection("jdbc:sqlite:file:" + file.toAbsolutePath().toUri().getRawPath() + "?mode=" + mode);
  }

  /** What an index says otherwise than the pages of its shard, or nothing when it says the same. */
  static Optional<String> compare(Path index, ShardReader shard) throws IOException {
    SQLiteConfig config = new SQLiteConfig();
    config.setReadOnly(true);
    try (Connection connection = connect(index, "ro", config); Statement statement = connection.createStatement()) {
      try (ResultSet names = statement.executeQuery("SELECT NAME FROM SHARD_NAME")) {
        String name = names.next() ? names.getString(1) : null;
        if (name == null || !Header.baseName(name).equals(shard.file().getFileName().toString())) {
          return Optional.of("belongs to a shard named \"" + name + "\"");
        }
      }
      List<String> fields = shard.header().indexFields();
      long row = 0;
      try (ResultSet rows = statement.executeQuery("SELECT ROW_ID, " + String.join(", ", PLACES)
          + fields.stream().map(field -> ", " + field + "_0").collect(Collectors.joining())
          + " FROM INDEXES ORDER BY ROW_ID")) {
        for (; rows.next(); row++) {
          if (row == shard.rows()) return Optional.of("has more rows than the pages, which have " + row);
          if (rows.getLong(1) != row) return Optional.of("has no row " + row);
          ShardReader.RowPlace place = shard.place(row);
          long[] walked = places(place);
          for (int i = 0; i < walked.length; i++) {
            if (rows.getLong(i + 2) != walked[i]) {
              return Optional.of("row " + row + ": " + PLACES.get(i) + " is " + rows.getLong(i + 2)
                  + ", the pages say " + walked[i]);
            }
          }
          if (fields.isEmpty()) continue;
          Row cells = shard.row(row);
          for (int i = 0; i < fields.size(); i++) {
            Object value = rows.getObject(2 + PLACES.size() + i);
            if (!says(value, cells.cells().get(fields.get(i)))) {
              return Optional.of("row " + row + ": " + fields.get(i) + " is " + value
                  + ", the raw record has another value");
            }
          }
        }
      }
      return row == shard.rows() ? Optional.empty()
          : Optional.of("has " + row + " rows, the pages have " + shard.rows());
    } catch (SQLException | Malformed e) {
      return Optional.of("is no MindRecord index: " + e.getMessage());
    }
  }

  /** Whether a value of an index is that of a raw record. Old writers put texts in quotes. */
  private static boolean says(Object value, Cell cell) {
    return switch (cell) {
      case Cell.Text text -> text.value().equals(value) || ('"' + text.value() + '"').equals(value);
      case Cell.Whole whole -> value instanceof Number number && number.longValue() == whole.value();
      case Cell.Real real when Double.isNaN(real.value()) -> value == null; // SQLite has no NaN
      case Cell.Real real -> value instanceof Number number && number.doubleValue() == real.value();
      case Cell.Legacy legacy when legacy.value().isNumber() ->
          value instanceof Number number && number.doubleValue() == legacy.value().doubleValue();
      default -> true; // not what an index repeats
    };
  }

  private static long[] places(ShardReader.RowPlace place) {
    return new long[] {place.rawPage(), place.rawStart(), place.rawEnd(), place.rowGroup(), place.blobPage(),
        place.blobStart(), place.blobEnd()};
  }

  /** Writes a new index of a shard from its pages. */
  static void write(Path index, ShardReader shard) throws IOException {
    Schema schema = shard.header().schema();
    List<Column> fields = shard.header().indexFields().stream().map(schema::column).toList();
    SQLiteConfig config = new SQLiteConfig();
    config.setJournalMode(SQLiteConfig.JournalMode.OFF); // the file is nobody's until it is whole
    config.setSynchronous(SQLiteConfig.SynchronousMode.OFF);
    try (Connection connection = connect(index, "rwc", config)) {
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.executeUpdate("CREATE TABLE SHARD_NAME(NAME TEXT NOT NULL)");
        statement.executeUpdate("CREATE TABLE INDEXES(ROW_ID INT NOT NULL"
            + PLACES.stream().map(name -> ", " + name + " INT NOT NULL").collect(Collectors.joining())
            + IntStream.range(0, fields.size())
                .mapToObj(k -> ", INC_" + k + " INT, " + fields.get(k).name() + "_0 " + sqlType(fields.get(k)))
                .collect(Collectors.joining())
            + ", PRIMARY KEY(ROW_ID" + IntStream.range(0, fields.size()).mapToObj(k -> ",INC_" + k)
                .collect(Collectors.joining()) + "))");
      }
      try (PreparedStatement name = connection.prepareStatement("INSERT INTO SHARD_NAME VALUES(?)")) {
        name.setString(1, shard.file().getFileName().toString());
        name.executeUpdate();
      }
      try (PreparedStatement insert = connection.prepareStatement(
          "INSERT INTO INDEXES VALUES(?" + ",?".repeat(PLACES.size() + 2 * fields.size()) + ")")) {
        for (long row = 0; row < shard.rows(); row++) {
          insert.setLong(1, row);
          long[] places = places(shard.place(row));
          for (int i = 0; i < places.length; i++) insert.setLong(i + 2, places[i]);
          if (!fields.isEmpty()) bind(insert, places.length + 2, fields, shard.row(row), schema.isLegacy());
          insert.addBatch();
          if (row % ROWS_PER_BATCH == ROWS_PER_BATCH - 1) insert.executeBatch();
        }
        insert.executeBatch();
      }
      connection.commit();
    } catch (SQLException e) {
      throw new IOException(index + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private static String sqlType(Column field) {
    return switch (field.type()) {
      case INT32, INT64 -> "INTEGER";
      case FLOAT32, FLOAT64 -> "REAL";
      case NUMBER -> "NUMERIC";
      default -> "TEXT";
    };
  }

  private static void bind(PreparedStatement insert, int from, List<Column> fields, Row row, boolean quoted)
      throws SQLException {
    int at = from;
    for (Column field : fields) {
      insert.setLong(at++, 0);
      switch (row.cells().get(field.name())) {
        case Cell.Whole whole -> insert.setLong(at++, whole.value());
        case Cell.Real real -> insert.setDouble(at++, real.value());
        case Cell.Text text -> insert.setString(at++, quoted ? '"' + text.value() + '"' : text.value());
        case Cell.Legacy(JsonNode value) when value.isIntegralNumber() -> insert.setLong(at++, value.longValue());
        case Cell.Legacy(JsonNode value) when value.isNumber() -> insert.setDouble(at++, value.doubleValue());
        default -> insert.setNull(at++, Types.NULL);
      }
    }
  }
}
