package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = the sum of the squares of x, as (1), added up in double: the square of a global norm. */
public record SumSquares() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "SumSquares: x must be floating, not %s", in[0]);
    return new Spec[] {in[0].with(1)};
  }
}
