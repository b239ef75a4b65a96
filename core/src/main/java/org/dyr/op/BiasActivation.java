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
    Value dx = g.emit1(new Grad(kind), g.gradOf(0), g.in(0), g.in(1));
    if (g.wants(0)) g.give(0, dx);
    if (g.wants(1)) g.give(1, g.emit1(new SumRows(), dx));
  }

  @Override public String name() {
    return "BiasActivation[" + kind + "]";
  }

  /** dx = dy f'(x + b); the gradient of b is the sum of dx over rows. Inputs dy, x, b; output dx. */
  public record Grad(Activation.Kind kind) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 3);
      Op.check(in[0].equals(in[1]), "%s: dy %s and x %s must be alike", name(), in[0], in[1]);
      Op.checkSpec(this, "bias", in[2], in[1].type().accumulator(), in[1].shape().last());
      return new Spec[] {in[1]};
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value u = r.emit1(new AddBias(), in[1], in[2]);
      return r.emit(new Activation.Grad(kind), in[0], u);
    }

    @Override public String name() {
      return "BiasActivation.Grad[" + kind + "]";
    }
  }

  /** dx, and db, the sum of its rows, in one pass. Inputs dy, x (R,C), b (C); outputs dx (R,C), db (C). */
  public record GradSumRows(Activation.Kind kind) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      return new Spec[] {new Grad(kind).outputs(in)[0], in[2]};
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value dx = r.emit1(new Grad(kind), in);
      return new Value[] {dx, r.emit1(new SumRows(), dx)};
    }

    @Override public String name() {
      return "BiasActivation.GradSumRows[" + kind + "]";
    }
  }
}
