package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = x + b, the bias b (C) added to every row of x (R,C). */
public record AddBias() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].type().isFloating(), "AddBias: x must be floating, not %s", in[0]);
    Op.checkSpec(this, "bias", in[1], in[0].type().accumulator(), in[0].shape().last());
    return new Spec[] {in[0]};
  }

  /** dx = dy; db = sum of dy over rows. */
  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.gradOf(0));
    if (g.wants(1)) g.give(1, g.emit1(new SumRows(), g.gradOf(0)));
  }
}
