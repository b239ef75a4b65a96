package org.dyr.nn;

import org.dyr.tensor.Shape;

/**
 * A trainable tensor before it has memory.
 *
 * @param name its name in a checkpoint, as Hugging Face has it
 * @param init how it begins when nothing is loaded
 * @param decay whether weight decay applies: not to biases and layer norms
 * @param factor whether it is read by products x W^T alone
 */
public record Parameter(String name, Shape shape, Init init, boolean decay, boolean factor) {

  /** One that is not read by products alone. */
  public Parameter(String name, Shape shape, Init init, boolean decay) {
    this(name, shape, init, decay, false);
  }

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

  /** W of products x W^T. */
  static Parameter factor(String name, int out, int in) {
    return new Parameter(name, Shape.of(out, in), Init.TRUNCATED_NORMAL, true, true);
  }

  static Parameter vector(String name, int size, Init init) {
    return new Parameter(name, Shape.of(size), init, false);
  }
}
