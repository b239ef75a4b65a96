package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = 1 when no element of x is infinite or NaN, else 0, as (1). */
public record AllFinite() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "AllFinite: x must be floating, not %s", in[0]);
    return new Spec[] {in[0].with(1)};
  }
}
