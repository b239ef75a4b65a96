package org.dyr.formats.mindrecord;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Integer arrays as version 3.0 stores them: the count (4 bytes, big-endian), a width code of 2 bits an element, the
 * first in the top bits of its byte, then the elements in little-endian two's complement of 1, 2, 4 or 8 bytes for code
 * 0 to 3.
 */
final class PackedIntegers {
  private static final int CODES_PER_BYTE = 4;

  private PackedIntegers() {}

  /** Bytes of the packed array, never more than those of int64 and half as many again. */
  static int size(long[] values) {
    long size = Integer.BYTES + (values.length + CODES_PER_BYTE - 1L) / CODES_PER_BYTE;
    for (long value : values) size += 1L << code(value);
    return Math.toIntExact(size);
  }

  static void write(long[] values, ByteBuffer out) {
    out.order(ByteOrder.BIG_ENDIAN).putInt(values.length);
    for (int i = 0; i < values.length; i += CODES_PER_BYTE) {
      int codes = 0;
      for (int j = 0; j < CODES_PER_BYTE; j++) {
        codes = codes << 2 | (i + j < values.length ? code(values[i + j]) : 0);
      }
      out.put((byte) codes);
    }
    out.order(ByteOrder.LITTLE_ENDIAN);
    for (long value : values) {
      switch (code(value)) {
        case 0 -> out.put((byte) value);
        case 1 -> out.putShort((short) value);
        case 2 -> out.putInt((int) value);
        default -> out.putLong(value);
      }
    }
  }

  private static int code(long value) {
    if (value == (byte) value) return 0;
    if (value == (short) value) return 1;
    return value == (int) value ? 2 : 3;
  }

  /** Reads all that remains of {@code in}. */
  static long[] read(ByteBuffer in, ColumnType type) throws Malformed {
    if (in.remaining() < Integer.BYTES) {
      throw new Malformed("a packed array of " + in.remaining() + " bytes has no count");
    }
    long count = Integer.toUnsignedLong(in.order(ByteOrder.BIG_ENDIAN).getInt());
    long codeBytes = (count + CODES_PER_BYTE - 1) / CODES_PER_BYTE;
    if (codeBytes + count > in.remaining()) {
      throw new Malformed("a packed array says it has " + count + " elements, in " + in.remaining() + " bytes");
    }
    int codesAt = in.position();
    in.position(codesAt + (int) codeBytes).order(ByteOrder.LITTLE_ENDIAN);
    long[] values = new long[(int) count];
    for (int i = 0; i < values.length; i++) {
      int code = in.get(codesAt + i / CODES_PER_BYTE) >> (6 - 2 * (i % CODES_PER_BYTE)) & 3;
      if (code == 3 && type == ColumnType.INT32) throw new Malformed("element " + i + " of an int32 array has 8 bytes");
      if (in.remaining() < 1 << code) {
        throw new Malformed("a packed array ends within its element " + i + " of " + count);
      }
      values[i] = switch (code) {
        case 0 -> in.get();
        case 1 -> in.getShort();
        case 2 -> in.getInt();
        default -> in.getLong();
      };
    }
    if (in.hasRemaining()) {
      throw new Malformed(in.remaining() + " bytes follow a packed array of " + count + " elements");
    }
    return values;
  }
}
