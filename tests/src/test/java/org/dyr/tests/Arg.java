package org.dyr.tests;

import java.util.Random;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * One operand of a case: its sizes and where its elements come from. Floating-point elements are drawn as floats, so
 * that they are the same numbers in every type of at least 32 bits.
 *
 * @param index whether the elements are 32-bit integers
 * @param fill draws element {@code i}; null when derived
 * @param derived what computes the operand from the case's others; null when drawn
 */
record Arg(Shape shape, boolean index, Fill fill, Derived derived) {

  /** Draws one element. */
  interface Fill {
    double at(Random random, int i);
  }

  /** An output of another op of the case's own inputs: what a forward keeps for its backward. */
  record Derived(Op op, int output, int... from) {}

  /** Uniform in [-1, 1]. */
  static Arg of(int... dims) {
    return uniform(-1, 1, dims);
  }

  static Arg uniform(double low, double high, int... dims) {
    return filled((random, i) -> low + (high - low) * random.nextDouble(), dims);
  }

  static Arg filled(Fill fill, int... dims) {
    return new Arg(Shape.of(dims), false, fill, null);
  }

  /** A vector of these numbers. */
  static Arg values(double... values) {
    return filled((random, i) -> values[i], values.length);
  }

  /** A vector of these integers. */
  static Arg ints(int... values) {
    return new Arg(Shape.of(values.length), true, (random, i) -> values[i], null);
  }

  /** Output {@code output} of {@code op} for the inputs at these places of the case. */
  static Arg derived(Op op, int output, int[] from, int... dims) {
    return new Arg(Shape.of(dims), false, null, new Derived(op, output, from));
  }

  Spec spec(DType floating) {
    return new Spec(shape, index ? DType.I32 : floating);
  }

  double[] draw(Random random) {
    double[] x = new double[Math.toIntExact(shape.size())];
    for (int i = 0; i < x.length; i++) x[i] = index ? fill.at(random, i) : (float) fill.at(random, i);
    return x;
  }
}
