package org.dyr.formats.mindrecord;

import java.util.List;

/**
 * A column of a schema.
 *
 * @param shape the sizes of an array, one of them may be -1 (whatever the row has); empty for a scalar
 */
public record Column(String name, ColumnType type, List<Long> shape) {

  /** @throws IllegalArgumentException for a name with other characters than letters, digits and _, or a shape that the
   *     type or the format does not allow */
  public Column {
    shape = List.copyOf(shape);
    if (!name.matches("[A-Za-z0-9_]+")) {
      throw new IllegalArgumentException("column name \"" + name
          + "\" has other characters than letters, digits and _");
    }
    if (!shape.isEmpty() && type.width() == 0) {
      throw new IllegalArgumentException("column " + name + " of type " + type + " cannot have a shape");
    }
    if (shape.stream().filter(size -> size == -1).count() > 1
        || shape.stream().anyMatch(size -> size < 1 && size != -1)) {
      throw new IllegalArgumentException("column " + name + " has the shape " + shape
          + "; sizes are above 0, and at most one is -1");
    }
  }

  public static Column scalar(String name, ColumnType type) {
    return new Column(name, type, List.of());
  }

  /** An array of one axis, of any length. */
  public static Column list(String name, ColumnType type) {
    return new Column(name, type, List.of(-1L));
  }

  public boolean isArray() {
    return !shape.isEmpty();
  }

  /** The shape of an array of that many elements: this column's, with its -1 filled in. */
  long[] shapeOf(long elements) throws Malformed {
    long known = 1;
    int open = -1;
    for (int axis = 0; axis < shape.size(); axis++) {
      if (shape.get(axis) == -1) {
        open = axis;
        continue;
      }
      try {
        known = Math.multiplyExact(known, shape.get(axis));
      } catch (ArithmeticException e) {
        throw new Malformed("column " + name + " of shape " + shape + " cannot exist", e);
      }
    }
    if (open < 0 ? elements != known : elements % known != 0) {
      throw new Malformed("column " + name + " has " + elements + " elements, which do not make the shape " + shape);
    }
    long[] full = shape.stream().mapToLong(Long::longValue).toArray();
    if (open >= 0) full[open] = elements / known;
    return full;
  }
}
