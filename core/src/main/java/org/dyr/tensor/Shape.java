package org.dyr.tensor;

import java.util.Arrays;

/** The sizes of a tensor's axes, outermost first. Row-major; a scalar is {@code (1)}. Immutable. */
public final class Shape {
  private final int[] dims;
  private final long size;

  private Shape(int[] dims) {
    long n = 1;
    for (int d : dims) {
      if (d < 0) throw new ShapeException("Shape %s: sizes must not be negative", Arrays.toString(dims));
      n = Math.multiplyExact(n, d);
    }
    this.dims = dims;
    this.size = n;
  }

  public static Shape of(int... dims) {
    if (dims.length == 0) throw new ShapeException("Shape: at least one axis; a scalar is (1)");
    return new Shape(dims.clone());
  }

  /** The number of elements. */
  public long size() {
    return size;
  }

  public int rank() {
    return dims.length;
  }

  /** The size of axis {@code i}; negative counts from the last. */
  public int dim(int i) {
    return dims[i < 0 ? dims.length + i : i];
  }

  /** The size of the last axis: the columns when the tensor is seen as a matrix. */
  public int last() {
    return dims[dims.length - 1];
  }

  /** All axes but the last taken together: the rows when the tensor is seen as a matrix. */
  public int rows() {
    long r = 1;
    for (int i = 0; i < dims.length - 1; i++) r *= dims[i];
    return Math.toIntExact(r);
  }

  public int[] dims() {
    return dims.clone();
  }

  @Override public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** {@code (512,768)}. */
  @Override public String toString() {
    StringBuilder s = new StringBuilder("(");
    for (int i = 0; i < dims.length; i++) s.append(i == 0 ? "" : ",").append(dims[i]);
    return s.append(')').toString();
  }
}
