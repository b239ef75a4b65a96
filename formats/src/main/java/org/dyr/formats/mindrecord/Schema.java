package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What the rows of a file look like.
 *
 * @param columns sorted by name
 * @param blobFields the columns that lie in blob records, in their order there; the others lie in raw records
 */
public record Schema(String description, List<Column> columns, List<String> blobFields) {

  /** The schema of new files: arrays and bytes are blob columns. */
  public static Schema of(String description, Column... columns) {
    List<Column> sorted = new ArrayList<>(List.of(columns));
    sorted.sort(Comparator.comparing(Column::name));
    return new Schema(description, sorted, sorted.stream().filter(Schema::belongsInBlob).map(Column::name).toList());
  }

  /** @throws IllegalArgumentException when there is no column, a name comes twice, or the blob columns are not these */
  public Schema {
    columns = List.copyOf(columns);
    blobFields = List.copyOf(blobFields);
    if (columns.isEmpty()) throw new IllegalArgumentException("the schema has no column");
    Map<String, Column> named = byName(columns);
    if (Set.copyOf(blobFields).size() != blobFields.size()) {
      throw new IllegalArgumentException("blob_fields names a column twice: " + blobFields);
    }
    for (String field : blobFields) {
      Column column = named.get(field);
      if (column == null) throw new IllegalArgumentException("blob_fields has " + field + ", which is no column");
      if (!belongsInBlob(column) && !column.type().isLegacy()) {
        throw new IllegalArgumentException("blob_fields has " + field + ", which is a scalar");
      }
    }
    for (Column column : columns) {
      if (belongsInBlob(column) && !blobFields.contains(column.name())) {
        throw new IllegalArgumentException("column " + column.name() + " is not in blob_fields, where it belongs");
      }
    }
  }

  private static boolean belongsInBlob(Column column) {
    return column.isArray() || column.type() == ColumnType.BYTES;
  }

  private static Map<String, Column> byName(List<Column> columns) {
    return columns.stream().collect(Collectors.toMap(Column::name, Function.identity(), (a, b) -> {
      throw new IllegalArgumentException("column " + a.name() + " is there twice");
    }));
  }

  /** The column of that name, or null. */
  public Column column(String name) {
    for (Column column : columns) {
      if (column.name().equals(name)) return column;
    }
    return null;
  }

  boolean inBlob(Column column) {
    return blobFields.contains(column.name());
  }

  /** The columns that lie in raw records, in their order there. */
  List<Column> rawColumns() {
    return columns.stream().filter(column -> !inBlob(column)).toList();
  }

  /** The columns that lie in blob records, in their order there. */
  List<Column> blobColumns() {
    return blobFields.stream().map(this::column).toList();
  }

  /** Whether this is the text layout of early 2020, whose blob records are MessagePack. */
  public boolean isLegacy() {
    return columns.stream().anyMatch(column -> column.type().isLegacy());
  }

  static Schema parse(JsonNode json) throws Malformed {
    JsonNode columns = json.path("schema");
    JsonNode blobFields = json.path("blob_fields");
    if (!columns.isObject()) throw new Malformed("the schema has no object \"schema\"");
    List<Column> parsed = new ArrayList<>();
    for (Map.Entry<String, JsonNode> column : columns.properties()) {
      parsed.add(column(column.getKey(), column.getValue()));
    }
    parsed.sort(Comparator.comparing(Column::name));
    List<String> fields = new ArrayList<>();
    if (!blobFields.isArray() && !blobFields.isMissingNode() && !blobFields.isNull()) {
      throw new Malformed("blob_fields is no array");
    }
    for (JsonNode field : blobFields) fields.add(field.asText());
    try {
      return new Schema(json.path("desc").asText(""), parsed, fields);
    } catch (IllegalArgumentException e) {
      throw new Malformed("the schema is wrong: " + e.getMessage(), e);
    }
  }

  private static Column column(String name, JsonNode json) throws Malformed {
    ColumnType type = ColumnType.named(json.path("type").asText());
    if (type == null) {
      throw new Malformed("column " + name + " has the type " + json.path("type") + ", which is none of int32, int64, "
          + "float32, float64, string, bytes");
    }
    if (type == ColumnType.ARRAY && !json.path("items").path("type").asText().equals("number")) {
      throw new Malformed("column " + name + " is a list of something else than numbers, which is not read");
    }
    JsonNode shape = json.path("shape");
    if (!shape.isMissingNode() && (!shape.isArray() || shape.isEmpty())) {
      throw new Malformed("column " + name + " has the shape " + shape + ", which is no list of sizes");
    }
    List<Long> sizes = new ArrayList<>();
    for (JsonNode size : shape) {
      if (!size.canConvertToLong() || !size.isIntegralNumber()) {
        throw new Malformed("column " + name + " has the shape " + shape + ", which is no list of sizes");
      }
      sizes.add(size.longValue());
    }
    try {
      return new Column(name, type, sizes);
    } catch (IllegalArgumentException e) {
      throw new Malformed("the schema is wrong: " + e.getMessage(), e);
    }
  }

  /** The element of a header's "schema" array, every object's keys sorted. */
  ObjectNode json() {
    JsonNodeFactory make = JsonNodeFactory.instance;
    ObjectNode json = make.objectNode();
    ArrayNode fields = json.putArray("blob_fields");
    blobFields.forEach(fields::add);
    json.put("desc", description);
    ObjectNode all = json.putObject("schema");
    for (Column column : columns) {
      ObjectNode one = all.putObject(column.name());
      if (column.type() == ColumnType.ARRAY) one.putObject("items").put("type", "number");
      if (column.isArray()) {
        ArrayNode shape = one.putArray("shape");
        column.shape().forEach(size -> shape.add(size.longValue()));
      }
      one.put("type", column.type().toString());
    }
    return json;
  }
}
