package org.dyr.nn;

import org.dyr.tensor.Shape;

/**
 * A trainable tensor before it has memory.
 *
 * @param name its name in a checkpoint, as Hugging Face has it
 * @param init how it begins when nothing is loaded
 * @param decay whether weight decay applies: not to biases and layer norms
 */
public record Parameter(String name, Shape shape, Init init, boolean decay) {

  /** How a parameter begins. */
  public enum Init {
    /** Normal around 0 with the model's initializer range, redrawn beyond two standard deviations. */
    TRUNCATED_NORMAL,
    ZEROS,
    ONES
  }

  static Parameter matrix(String name, int rows, int columns) {
    return new Parameter(name, Shape.of(rows, columns), Init.TRUNCATED_NORMAL, true);
  }

  static Parameter vector(String name, int size, Init init) {
    return new Parameter(name, Shape.of(size), init, false);
  }
}
