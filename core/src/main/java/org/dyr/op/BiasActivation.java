package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = f(x + b): the bias of a feed-forward layer and its activation in one pass. x (R,C), b (C). */
public record BiasActivation(Activation.Kind kind) implements FusedOp {

  @Override public Spec[] outputs(Spec... in) {
    return new AddBias().outputs(in);
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    return r.emit(new Activation(kind), r.emit1(new AddBias(), in));
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(kind), g.gradOf(0), g.in(0), g.in(1));
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public String name() {
    return "BiasActivation[" + kind + "]";
  }

  /** dx = dy f'(x + b); db = sum of dx over rows. Inputs dy, x, b; outputs dx, db. */
  public record Grad(Activation.Kind kind) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 3);
      Op.check(in[0].equals(in[1]), "%s: dy %s and x %s must be alike", name(), in[0], in[1]);
      Op.checkSpec(this, "bias", in[2], in[1].type().accumulator(), in[1].shape().last());
      return new Spec[] {in[1], in[2]};
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value u = r.emit1(new AddBias(), in[1], in[2]);
      Value dx = r.emit1(new Activation.Grad(kind), in[0], u);
      return new Value[] {dx, r.emit1(new SumRows(), dx)};
    }

    @Override public String name() {
      return "BiasActivation.Grad[" + kind + "]";
    }
  }
}
