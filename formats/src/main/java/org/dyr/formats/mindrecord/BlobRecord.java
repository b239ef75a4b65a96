package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/**
 * The body of a blob record: the arrays and bytes of a row. Several columns have their lengths before them (8 bytes,
 * big-endian), a single one has none, and where there is no blob column the body is 4 zero bytes.
 */
final class BlobRecord {
  private static final byte[] NONE = new byte[4];

  private BlobRecord() {}

  /**
   * A body and what integer packing saved in it.
   *
   * @param saved bytes that full width would take beyond the packed ones; may be negative
   */
  record Encoded(byte[] body, long saved) {
  }

  static void read(byte[] body, Schema schema, boolean packed, Map<String, Cell> into) throws Malformed {
    List<Column> columns = schema.blobColumns();
    if (columns.isEmpty()) return;
    if (schema.isLegacy()) {
      JsonNode map = MessagePackJson.read(body);
      for (Column column : columns) {
        JsonNode value = map.get(column.name());
        if (value == null) throw new Malformed("the blob record has no " + column.name());
        into.put(column.name(), new Cell.Legacy(value));
      }
      return;
    }
    ByteBuffer in = ByteBuffer.wrap(body);
    for (Column column : columns) {
      long length = in.remaining();
      if (columns.size() > 1) {
        if (in.remaining() < Long.BYTES) {
          throw new Malformed("the blob record ends before the length of column " + column.name());
        }
        length = in.order(ByteOrder.BIG_ENDIAN).getLong();
      }
      if (length < 0 || length > in.remaining()) {
        throw new Malformed("column " + column.name() + " says it has " + Long.toUnsignedString(length) + " bytes, and "
            + in.remaining() + " are left in its blob record");
      }
      ByteBuffer part = in.slice(in.position(), (int) length);
      in.position(in.position() + (int) length);
      try {
        into.put(column.name(), cell(part, column, packed));
      } catch (Malformed e) {
        throw new Malformed("column " + column.name() + ": " + e.getMessage(), e);
      }
    }
    if (in.hasRemaining()) throw new Malformed(in.remaining() + " bytes follow the last column of the blob record");
  }

  private static Cell cell(ByteBuffer in, Column column, boolean packed) throws Malformed {
    ColumnType type = column.type();
    if (type == ColumnType.BYTES) {
      byte[] bytes = new byte[in.remaining()];
      in.get(bytes);
      return new Cell.Binary(bytes);
    }
    if (type.isInteger() && packed) {
      long[] values = PackedIntegers.read(in, type);
      column.shapeOf(values.length);
      return new Cell.Wholes(values);
    }
    int width = type.width();
    if (in.remaining() % width != 0) {
      throw new Malformed(in.remaining() + " bytes are no whole number of " + type + " elements");
    }
    in.order(ByteOrder.LITTLE_ENDIAN);
    int count = in.remaining() / width;
    column.shapeOf(count);
    if (type.isInteger()) {
      long[] values = new long[count];
      for (int i = 0; i < count; i++) values[i] = width == Integer.BYTES ? in.getInt() : in.getLong();
      return new Cell.Wholes(values);
    }
    double[] values = new double[count];
    for (int i = 0; i < count; i++) values[i] = width == Float.BYTES ? in.getFloat() : in.getDouble();
    return new Cell.Reals(values);
  }

  /** @throws IllegalArgumentException for a row that does not fit the schema */
  static Encoded write(Row row, Schema schema, boolean packed) {
    List<Column> columns = schema.blobColumns();
    if (columns.isEmpty()) return new Encoded(NONE, 0);
    if (schema.isLegacy()) return new Encoded(MessagePackJson.writeLegacy(row, columns), 0);
    long size = 0;
    long saved = 0;
    for (Column column : columns) {
      long bytes = size(row.cells().get(column.name()), column, packed);
      if (packed && row.cells().get(column.name()) instanceof Cell.Wholes array) {
        saved += (long) array.values().length * column.type().width() - bytes;
      }
      size += (columns.size() > 1 ? Long.BYTES : 0) + bytes;
    }
    if (size > Integer.MAX_VALUE - Long.BYTES) throw new IllegalArgumentException("a row of " + size + " bytes");
    ByteBuffer out = ByteBuffer.allocate((int) size);
    for (Column column : columns) {
      Cell cell = row.cells().get(column.name());
      if (columns.size() > 1) out.order(ByteOrder.BIG_ENDIAN).putLong(size(cell, column, packed));
      out.order(ByteOrder.LITTLE_ENDIAN);
      switch (cell) {
        case Cell.Binary bytes -> out.put(bytes.value());
        case Cell.Wholes array when packed -> PackedIntegers.write(array.values(), out);
        case Cell.Wholes array when column.type() == ColumnType.INT32 -> {
          for (long value : array.values()) out.putInt((int) value);
        }
        case Cell.Wholes array -> {
          for (long value : array.values()) out.putLong(value);
        }
        case Cell.Reals array when column.type() == ColumnType.FLOAT32 -> {
          for (double value : array.values()) out.putFloat((float) value);
        }
        case Cell.Reals array -> {
          for (double value : array.values()) out.putDouble(value);
        }
        default -> throw new IllegalStateException("size() lets no other cell pass");
      }
    }
    return new Encoded(out.array(), saved);
  }

  /** Bytes of a cell, after a look at whether it is one of its column. */
  private static long size(Cell cell, Column column, boolean packed) {
    return switch (cell) {
      case Cell.Binary bytes when column.type() == ColumnType.BYTES -> bytes.value().length;
      case Cell.Wholes array when column.type().isInteger() -> {
        requireShape(column, array.values().length);
        if (column.type() == ColumnType.INT32) {
          for (long value : array.values()) RawRecord.requireInt32(column, value);
        }
        yield packed ? PackedIntegers.size(array.values()) : (long) array.values().length * column.type().width();
      }
      case Cell.Reals array when column.type().isFloat() -> {
        requireShape(column, array.values().length);
        yield (long) array.values().length * column.type().width();
      }
      case null -> throw new IllegalArgumentException("the row has no " + column.name());
      default -> throw new IllegalArgumentException("column " + column.name() + " of type " + column.type()
          + " cannot hold a " + cell.getClass().getSimpleName());
    };
  }

  private static void requireShape(Column column, int elements) {
    try {
      column.shapeOf(elements);
    } catch (Malformed e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }
}
