package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.dyr.formats.Inspector;

/**
 * Looks into one MindRecord data file, which may be one of several shards: its header, whether its index agrees with
 * its pages, the number of its rows, and where the first of them lie and what they hold.
 */
public final class MindRecordInspector implements Inspector {
  private static final int SHOWN_BYTES = 256;
  private static final int BEGINNING = 256;

  /** How the names of files end that are no MindRecord, whatever stands before. */
  private static final List<String> OTHERS = List.of(".db", ".json", ".jsonl", ".gz", ".safetensors", ".ckpt", ".bin",
      ".tfrecord");

  @Override public boolean reads(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      // No magic number: a length, then JSON that begins with this key.
      String start = new String(in.readNBytes(BEGINNING), StandardCharsets.ISO_8859_1);
      if (start.length() > Long.BYTES && start.startsWith("{\"header_size\":", Long.BYTES)) return true;
    }
    String name = file.getFileName().toString(); // it tells of a damaged or encrypted one
    return name.contains("mindrecord") && OTHERS.stream().noneMatch(name::endsWith);
  }

  @Override public ObjectNode inspect(Path file, int rows) throws IOException {
    try (ShardReader shard = ShardReader.open(file)) {
      ObjectNode json = JsonNodeFactory.instance.objectNode();
      json.put("file", file.toString());
      json.put("size", shard.size());
      json.set("header", shard.tree());
      json.put("compressed_integers", shard.header().packed()
          && shard.header().schema().columns().stream().anyMatch(c -> c.isArray() && c.type().isInteger()));
      json.put("index", index(shard));
      json.put("row_count", shard.rows());
      ArrayNode shown = json.putArray("rows");
      for (long row = 0; row < Math.min(rows, shard.rows()); row++) addRow(shown.addObject(), row, shard);
      return json;
    }
  }

  private static String index(ShardReader shard) throws IOException {
    Path index = IndexFile.of(shard.file());
    if (!Files.exists(index)) return "absent";
    return IndexFile.compare(index, shard).map(problem -> "differs: " + problem).orElse("equal to the page walk");
  }

  private static void addRow(ObjectNode json, long row, ShardReader shard) throws IOException {
    ShardReader.RowPlace place = shard.place(row);
    json.put("row_id", row);
    json.put("raw_page", place.rawPage()).put("raw_offset", place.rawStart()).put("raw_end", place.rawEnd());
    json.put("blob_page", place.blobPage()).put("blob_offset", place.blobStart()).put("blob_end", place.blobEnd());
    ObjectNode columns = json.putObject("columns");
    Schema schema = shard.header().schema();
    Row cells = shard.row(row);
    for (Column column : schema.columns()) {
      String name = column.name();
      switch (cells.cells().get(name)) {
        case Cell.Whole whole -> columns.put(name, whole.value());
        case Cell.Real real -> columns.put(name, real.value());
        case Cell.Text text -> columns.put(name, text.value());
        case Cell.Binary binary -> addBytes(columns.putObject(name), binary.value());
        case Cell.Wholes array -> {
          ArrayNode values = addArray(columns.putObject(name), column, array.values().length);
          for (long value : array.values()) values.add(value);
        }
        case Cell.Reals array -> {
          ArrayNode values = addArray(columns.putObject(name), column, array.values().length);
          for (double value : array.values()) values.add(value);
        }
        case Cell.Legacy legacy when schema.inBlob(column) ->
            columns.putObject(name).putObject("legacy_msgpack").set(name, legacy.value());
        case Cell.Legacy legacy -> columns.set(name, legacy.value());
      }
    }
  }

  private static void addBytes(ObjectNode json, byte[] bytes) {
    json.put("bytes", bytes.length);
    if (bytes.length <= SHOWN_BYTES) {
      json.put("hex", HexFormat.of().formatHex(bytes));
      return;
    }
    try {
      json.put("sha256", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private static ArrayNode addArray(ObjectNode json, Column column, int elements) {
    ArrayNode shape = json.putArray("shape");
    try {
      for (long size : column.shapeOf(elements)) shape.add(size);
    } catch (Malformed e) {
      throw new IllegalStateException("the row was read, so its shape fits", e);
    }
    return json.putArray("values");
  }
}
