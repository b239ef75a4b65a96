package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** y = x in another floating type, rounded to nearest even where that is narrower; what is too large becomes infinite. */
public record Cast(DType to) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating() && to.isFloating(), "%s: x must be floating, not %s", name(), in[0]);
    return new Spec[] {in[0].as(to)};
  }

  /** dx = dy in the type of x. */
  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Cast(g.in(0).spec().type()), g.gradOf(0)));
  }

  @Override public String name() {
    return "Cast[" + to + "]";
  }
}
