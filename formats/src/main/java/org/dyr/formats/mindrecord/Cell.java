package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;

/** The value of one column in one row. Arrays are flat, in row-major order; their shape is the column's. */
public sealed interface Cell {

  /** A scalar int32 or int64. */
  record Whole(long value) implements Cell {
  }

  /** A scalar float32 or float64. */
  record Real(double value) implements Cell {
  }

  record Text(String value) implements Cell {
  }

  /** A column of type bytes. */
  record Binary(byte[] value) implements Cell {
  }

  /** An array of int32 or int64. */
  record Wholes(long[] values) implements Cell {
  }

  /** An array of float32 or float64. */
  record Reals(double[] values) implements Cell {
  }

  /** A number or a list of numbers of the text layout of early 2020. */
  record Legacy(JsonNode value) implements Cell {
  }
}
