package org.dyr.cpu.reference;

import org.dyr.op.Activation.Kind;

/** The elementwise functions and their derivatives. */
final class Activations {
  private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
  private static final double CUBIC = 0.044715;

  /** From here on the slope of gelu by tanh is 1 in double, and 0 at its negative. */
  private static final double FLAT = 10;

  private Activations() {}

  static void forward(Kind kind, Tensor x, Tensor y) {
    for (long i = 0; i < x.size(); i++) y.set(i, value(kind, x.get(i)));
  }

  static void backward(Kind kind, Tensor dy, Tensor x, Tensor dx) {
    for (long i = 0; i < x.size(); i++) dx.set(i, dy.get(i) * derivative(kind, x.get(i)));
  }

  static double value(Kind kind, double x) {
    return switch (kind) {
      case GELU -> x * normalCdf(x);
      case GELU_TANH -> x / 2 * (1 + Math.tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)));
      case RELU -> Math.max(x, 0);
      case TANH -> Math.tanh(x);
    };
  }

  static double derivative(Kind kind, double x) {
    return switch (kind) {
      case GELU -> normalCdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
      case GELU_TANH -> {
        double u = Math.clamp(x, -FLAT, FLAT); // of an infinite x 0 times infinity would be left
        double t = Math.tanh(SQRT_2_OVER_PI * (u + CUBIC * u * u * u));
        yield (1 + t) / 2 + u / 2 * (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * CUBIC * u * u);
      }
      case RELU -> x > 0 ? 1 : 0;
      case TANH -> 1 - Math.tanh(x) * Math.tanh(x);
    };
  }

  private static double normalCdf(double x) {
    return erfc(-x / Math.sqrt(2)) / 2;
  }

  /**
   * The complementary error function to the precision of double. Up to 3 by the series erf x = 2/sqrt(pi) e^(-x^2)
   * sum_n 2^n x^(2n+1) / (2n+1)!!, beyond by the continued fraction of Abramowitz and Stegun 7.1.14, from its tail.
   */
  static double erfc(double x) {
    double a = Math.abs(x);
    if (Double.isNaN(x)) return x;
    double tail;
    if (a < 3) {
      double term = a, sum = a;
      for (int n = 1; term > sum * 1e-17; n++) sum += term *= 2 * a * a / (2 * n + 1);
      tail = 1 - 2 / Math.sqrt(Math.PI) * Math.exp(-a * a) * sum;
    } else {
      double fraction = a;
      for (int k = 100; k > 0; k--) fraction = a + k / 2.0 / fraction;
      tail = Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction;
    }
    return x >= 0 ? tail : 2 - tail;
  }
}
