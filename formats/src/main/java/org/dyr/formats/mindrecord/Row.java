package org.dyr.formats.mindrecord;

import java.util.Map;

/** A row: a value for every column of the schema, by name. */
public record Row(Map<String, Cell> cells) {

  /** @throws IllegalArgumentException when there is no such column or it is no array of integers */
  public long[] integers(String column) {
    if (cells.get(column) instanceof Cell.Wholes array) return array.values();
    throw new IllegalArgumentException(column + " is no column of integer arrays");
  }
}
