package org.dyr.op;

import org.dyr.tensor.Spec;

/** c = a + b, of one shape. In place, c is written over a: how gradients of several micro-batches gather. */
public record Add(boolean inPlace) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].type().isFloating(), "Add: a must be floating, not %s", in[0]);
    Op.check(in[0].equals(in[1]), "Add: a %s and b %s must be alike", in[0], in[1]);
    return new Spec[] {in[0]};
  }

  @Override public int aliasOf(int output) {
    return inPlace ? 0 : -1;
  }

  @Override public void backward(Gradients g) {
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, g.gradOf(0));
  }
}
