package org.dyr.tensor;

/** Shapes or types that do not fit together; the message says what must hold, what came, and where. */
public final class ShapeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public ShapeException(String format, Object... args) {
    super(format.formatted(args));
  }
}
