package org.dyr.io;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;

/**
 * From elements as a file stores them, little-endian at any address, to elements as the engine computes with them, in
 * the machine's order. One plain loop per pair of types; the 16-bit types widen exactly, all else rounds to nearest
 * even, F64 to a 16-bit type by way of F32.
 */
final class Conversion {
  private static final ValueLayout.OfShort HALF = JAVA_SHORT_UNALIGNED; // of the engine
  private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT = JAVA_FLOAT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE = JAVA_DOUBLE_UNALIGNED.withOrder(LITTLE_ENDIAN);

  private Conversion() {}

  static boolean exists(StoredType from, DType as) {
    if (from.same == as) return true;
    return switch (as) {
      case F32, F64, BF16, F16 -> from.same != null && from.same.isFloating();
      case I32 -> from == StoredType.I64;
    };
  }

  /**
   * Converts {@code n} elements; the pair of types must {@link #exists}.
   *
   * @param where names file and tensor, for messages
   */
  static void copy(StoredType from, MemorySegment src, DType as, MemorySegment dst, long n, String where) {
    if (from.same == as) {
      swap(src, LITTLE_ENDIAN, 0, dst, ByteOrder.nativeOrder(), as, n);
      return;
    }
    switch (as) {
      case F32 -> toFloat(from, src, dst, n);
      case F64 -> toDouble(from, src, dst, n);
      case BF16 -> toBf16(from, src, dst, n);
      case F16 -> toF16(from, src, dst, n);
      case I32 -> toInt(src, dst, n, where);
    }
  }

  /** The way back for the writer: {@code n} elements from {@code src + offset}, machine order, into a file's order. */
  static void store(DType type, MemorySegment src, long offset, MemorySegment dst, long n) {
    swap(src, ByteOrder.nativeOrder(), offset, dst, LITTLE_ENDIAN, type, n);
  }

  /** A copy that swaps bytes where the machine is big-endian, and is one bulk move where it is not. */
  private static void swap(MemorySegment src, ByteOrder from, long offset, MemorySegment dst, ByteOrder to, DType type,
      long n) {
    ValueLayout layout = switch (type.bytes()) {
      case 2 -> SHORT;
      case 4 -> INT;
      default -> LONG;
    };
    MemorySegment.copy(src, layout.withOrder(from), offset, dst, layout.withOrder(to), 0, n);
  }

  private static void toFloat(StoredType from, MemorySegment src, MemorySegment dst, long n) {
    switch (from) {
      case BF16 -> {
        for (long i = 0; i < n; i++) {
          dst.setAtIndex(JAVA_FLOAT_UNALIGNED, i, Half.fromBf16(src.getAtIndex(SHORT, i)));
        }
      }
      case F16 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(JAVA_FLOAT_UNALIGNED, i, Half.fromF16(src.getAtIndex(SHORT, i)));
      }
      default -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(JAVA_FLOAT_UNALIGNED, i, (float) src.getAtIndex(DOUBLE, i));
      }
    }
  }

  private static void toDouble(StoredType from, MemorySegment src, MemorySegment dst, long n) {
    switch (from) {
      case BF16 -> {
        for (long i = 0; i < n; i++) {
          dst.setAtIndex(JAVA_DOUBLE_UNALIGNED, i, Half.fromBf16(src.getAtIndex(SHORT, i)));
        }
      }
      case F16 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(JAVA_DOUBLE_UNALIGNED, i, Half.fromF16(src.getAtIndex(SHORT, i)));
      }
      default -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(JAVA_DOUBLE_UNALIGNED, i, src.getAtIndex(FLOAT, i));
      }
    }
  }

  private static void toBf16(StoredType from, MemorySegment src, MemorySegment dst, long n) {
    switch (from) {
      case F32 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.bitsToBf16(src.getAtIndex(INT, i)));
      }
      case F16 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.toBf16(Half.fromF16(src.getAtIndex(SHORT, i))));
      }
      default -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.toBf16((float) src.getAtIndex(DOUBLE, i)));
      }
    }
  }

  private static void toF16(StoredType from, MemorySegment src, MemorySegment dst, long n) {
    switch (from) {
      case F32 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.toF16(src.getAtIndex(FLOAT, i)));
      }
      case BF16 -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.toF16(Half.fromBf16(src.getAtIndex(SHORT, i))));
      }
      default -> {
        for (long i = 0; i < n; i++) dst.setAtIndex(HALF, i, Half.toF16((float) src.getAtIndex(DOUBLE, i)));
      }
    }
  }

  private static void toInt(MemorySegment src, MemorySegment dst, long n, String where) {
    for (long i = 0; i < n; i++) {
      long x = src.getAtIndex(LONG, i);
      if (x != (int) x) throw SafeTensorsException.of("%s: element %s is %s, beyond I32", where, i, x);
      dst.setAtIndex(JAVA_INT_UNALIGNED, i, (int) x);
    }
  }
}
