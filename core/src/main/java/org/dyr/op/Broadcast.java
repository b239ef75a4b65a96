package org.dyr.op;

import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/** Every element of the output is x, a tensor (1): the gradient of {@link Sum}. */
public record Broadcast(Shape shape) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "Broadcast: x must be floating, not %s", in[0]);
    Op.checkSpec(this, "x", in[0], in[0].type(), 1);
    return new Spec[] {new Spec(shape, in[0].type())};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Sum(), g.gradOf(0)));
  }
}
