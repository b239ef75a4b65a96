package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * y = s x, the factor s a tensor (1): it may change from step to step. Constant in backward: s itself gets no gradient.
 */
public record Scale() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].type().isFloating(), "Scale: x must be floating, not %s", in[0]);
    Op.checkSpec(this, "factor", in[1], in[0].type(), 1);
    return new Spec[] {in[0]};
  }

  /** dx = s dy. */
  @Override public void backward(Gradients g) {
    if (g.wants(1)) throw new UnsupportedOperationException("Scale: the factor has no gradient");
    if (g.wants(0)) g.give(0, g.emit1(new Scale(), g.gradOf(0), g.in(1)));
  }
}
