package org.dyr.optim;

/**
 * What the loss is multiplied by, so that small gradients do not vanish in a 16-bit type: dynamic, as MindSpore's
 * DynamicLossScaleUpdateCell. It starts at 2^16, doubles after 1000 good steps in a row, and halves after a step whose
 * gradient is not finite, which makes no update; it never falls below 1.
 *
 * @param value a power of two: scaling rounds nothing
 * @param good good steps since the value last changed
 */
public record LossScale(double value, int good) {

  /** How a dynamic scale begins. */
  public static final LossScale START = new LossScale(0x1p16, 0);

  /** Good steps after which the value doubles. */
  public static final int WINDOW = 1000;

  private static final double FACTOR = 2;
  private static final double LEAST = 1;

  public LossScale {
    if (!(value >= LEAST) || value > Float.MAX_VALUE) {
      throw new IllegalArgumentException("a loss scale must be a float of at least 1, not " + value);
    }
    if (good < 0 || good >= WINDOW) {
      throw new IllegalArgumentException("good steps must be in 0..%d, not %d".formatted(WINDOW - 1, good));
    }
  }

  /** The scale after a step with a finite gradient, or without one. */
  public LossScale after(boolean finite) {
    if (!finite) return new LossScale(Math.max(value / FACTOR, LEAST), 0);
    if (good + 1 < WINDOW) return new LossScale(value, good + 1);
    return new LossScale(Math.min(value * FACTOR, 0x1p127), 0);
  }

  /** Whether a smaller value can be tried. */
  public boolean canFall() {
    return value > LEAST;
  }
}
