package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;

/**
 * The body of a raw record: a MessagePack map of the scalars of a row, keys sorted. Integers take their narrowest form,
 * floats are written as float64. Where there is no scalar column the map is {@code {"id": 0}}, which stands for
 * nothing.
 */
final class RawRecord {
  private RawRecord() {}

  static void read(byte[] body, Schema schema, Map<String, Cell> into) throws Malformed {
    ObjectNode map = MessagePackJson.read(body);
    for (Column column : schema.rawColumns()) {
      JsonNode value = map.get(column.name());
      if (value == null) throw new Malformed("the raw record has no " + column.name());
      into.put(column.name(), cell(value, column));
    }
  }

  private static Cell cell(JsonNode value, Column column) throws Malformed {
    ColumnType type = column.type();
    if (type.isLegacy()) return new Cell.Legacy(value);
    if (type == ColumnType.STRING && value.isTextual()) return new Cell.Text(value.textValue());
    if (type.isInteger() && value.isIntegralNumber()) {
      if (type == ColumnType.INT32 && !value.canConvertToInt()) {
        throw new Malformed("column " + column.name() + " of type int32 holds " + value);
      }
      return new Cell.Whole(value.longValue());
    }
    if (type.isFloat() && value.isNumber()) return new Cell.Real(value.doubleValue());
    throw new Malformed("column " + column.name() + " of type " + type + " holds a value of type "
        + value.getNodeType());
  }

  /** @throws IllegalArgumentException for a row that does not fit the schema */
  static byte[] write(Row row, Schema schema) {
    List<Column> columns = schema.rawColumns();
    if (schema.isLegacy()) return MessagePackJson.writeLegacy(row, columns);
    return MessagePackJson.pack(out -> {
      out.packMapHeader(Math.max(1, columns.size()));
      if (columns.isEmpty()) out.packString("id").packLong(0);
      for (Column column : columns) {
        out.packString(column.name());
        switch (row.cells().get(column.name())) {
          case Cell.Whole whole when column.type().isInteger() -> {
            if (column.type() == ColumnType.INT32) requireInt32(column, whole.value());
            out.packLong(whole.value());
          }
          case Cell.Real real when column.type().isFloat() -> out.packDouble(real.value());
          case Cell.Text text when column.type() == ColumnType.STRING -> out.packString(text.value());
          case null -> throw new IllegalArgumentException("the row has no " + column.name());
          case Cell other -> throw new IllegalArgumentException("column " + column.name() + " of type " + column.type()
              + " cannot hold a " + other.getClass().getSimpleName());
        }
      }
    });
  }

  static void requireInt32(Column column, long value) {
    if (value != (int) value) {
      throw new IllegalArgumentException("column " + column.name() + " of type int32 cannot hold " + value);
    }
  }
}
