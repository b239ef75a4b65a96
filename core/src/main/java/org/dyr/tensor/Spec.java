package org.dyr.tensor;

import java.util.Locale;

/** A tensor without its memory: shape and element type. */
public record Spec(Shape shape, DType type) {

  public static Spec of(DType type, int... dims) {
    return new Spec(Shape.of(dims), type);
  }

  /** The same type with other sizes. */
  public Spec with(int... dims) {
    return new Spec(Shape.of(dims), type);
  }

  /** The same sizes in another type. */
  public Spec as(DType other) {
    return new Spec(shape, other);
  }

  public long bytes() {
    return shape.size() * type.bytes();
  }

  /** {@code f32(512,768)}. */
  @Override public String toString() {
    return type.name().toLowerCase(Locale.ROOT) + shape;
  }
}
