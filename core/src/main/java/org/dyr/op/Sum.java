package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = the sum of all elements of x, as (1). */
public record Sum() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "Sum: x must be floating, not %s", in[0]);
    return new Spec[] {in[0].with(1)};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Broadcast(g.in(0).shape()), g.gradOf(0)));
  }
}
