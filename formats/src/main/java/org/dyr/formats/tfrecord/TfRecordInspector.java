package org.dyr.formats.tfrecord;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.dyr.formats.Inspector;

/** Looks into a TFRecord file of tf.Examples: how many records it has, all of them checked, and what the first hold. */
public final class TfRecordInspector implements Inspector {
  private static final int BEGINNING = 12;

  @Override public boolean reads(Path file) throws IOException {
    String name = file.getFileName().toString();
    if (name.endsWith(".tfrecord") || name.endsWith(".tfrecord.gz")) return true;
    try (InputStream in = Files.newInputStream(file)) {
      if (TfRecordReader.beginsRecord(in.readNBytes(BEGINNING))) return true;
    }
    try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
      return TfRecordReader.beginsRecord(in.readNBytes(BEGINNING));
    } catch (ZipException | EOFException e) {
      return false;
    }
  }

  @Override public ObjectNode inspect(Path file, int rows) throws IOException {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("file", file.toString());
    json.put("size", Files.size(file));
    json.put("record_count", 0);
    ArrayNode records = json.putArray("records");
    try (TfRecordReader reader = TfRecordReader.open(file)) {
      for (Map<String, Feature> example; (example = reader.nextExample()) != null;) {
        if (reader.number() <= rows) add(example, records.addObject());
      }
      json.put("record_count", reader.number());
    }
    return json;
  }

  private static void add(Map<String, Feature> example, ObjectNode json) {
    example.forEach((name, feature) -> {
      ObjectNode one = json.putObject(name);
      one.put("kind", switch (feature) {
        case Feature.Int64s _ -> "int64";
        case Feature.Floats _ -> "float";
        case Feature.Bytes _ -> "bytes";
        case Feature.Empty _ -> null;
      });
      ArrayNode values = one.putArray("values");
      switch (feature) {
        case Feature.Int64s integers -> {
          for (long value : integers.values()) values.add(value);
        }
        case Feature.Floats floats -> {
          for (float value : floats.values()) values.add((double) value);
        }
        case Feature.Bytes bytes -> {
          for (byte[] value : bytes.values()) addBytes(value, values);
        }
        case Feature.Empty _ -> { }
      }
    });
  }

  /** Text as text, other bytes as an object with their hexadecimal digits. */
  private static void addBytes(byte[] bytes, ArrayNode values) {
    try {
      values.add(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException e) {
      values.addObject().put("hex", HexFormat.of().formatHex(bytes));
    }
  }
}
