package org.dyr.formats.mindrecord;

import java.util.Locale;

/** The type of a column's elements. {@link #NUMBER} and {@link #ARRAY} occur only in text files of early 2020. */
public enum ColumnType {
  INT32(4), INT64(8), FLOAT32(4), FLOAT64(8), STRING(0), BYTES(0),
  /** A number, whole or not, in the raw record. */
  NUMBER(0),
  /** A list of numbers, as MessagePack. */
  ARRAY(0);

  private final int width;

  ColumnType(int width) {
    this.width = width;
  }

  /** Bytes of an element of an array; 0 for types that have no arrays. */
  int width() {
    return width;
  }

  boolean isInteger() {
    return this == INT32 || this == INT64;
  }

  boolean isFloat() {
    return this == FLOAT32 || this == FLOAT64;
  }

  boolean isLegacy() {
    return this == NUMBER || this == ARRAY;
  }

  /** The name in a schema. */
  @Override public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The type of that name, or null. */
  static ColumnType named(String name) {
    for (ColumnType type : values()) {
      if (type.toString().equals(name)) return type;
    }
    return null;
  }
}
