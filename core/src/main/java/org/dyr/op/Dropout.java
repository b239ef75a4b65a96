package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * y = scale x where the element stays, 0 where it is dropped; {@link Philox} says which, and has the scale: 1/(1 - p),
 * the p rounded. x, y (R,C). Further inputs: random i32(4); sequence i32(R), each row's sequence by its number in the
 * global batch; position i32(R), its place there. Linear in x with a mask that is a function, so its gradient is the op
 * itself.
 *
 * @param site tells the dropouts of one model apart
 */
public record Dropout(double probability, int site) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 4);
    Philox.checkProbability(this, probability);
    checkRandom(this, in, 1, in[0].shape().rows());
    return new Spec[] {in[0]};
  }

  /** The three inputs from {@code first} that say what is dropped. */
  static void checkRandom(Op op, Spec[] in, int first, int rows) {
    Op.checkSpec(op, "random", in[first], DType.I32, Philox.STATE_WORDS);
    Op.checkSpec(op, "sequence", in[first + 1], DType.I32, rows);
    Op.checkSpec(op, "position", in[first + 2], DType.I32, rows);
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(this, g.gradOf(0), g.in(1), g.in(2), g.in(3)));
  }
}
