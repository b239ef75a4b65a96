package org.dyr.op;

import org.dyr.tensor.Spec;

/** y[c] = sum over rows r of x[r,c]: the gradient of a bias. x (R,C), y (C) in its accumulator's type. */
public record SumRows() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "SumRows: x must be floating, not %s", in[0]);
    return new Spec[] {in[0].with(in[0].shape().last()).as(in[0].type().accumulator())};
  }
}
