package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * y = (x - mean) rstd w + b over the last axis, rstd = 1 / sqrt(var + eps), var the mean of squared deviations.
 * x, y (R,C); w, b (C) and mean, rstd (R), kept for the backward, in the accumulator's type of x. Ba, Kiros and Hinton 2016.
 */
public record LayerNorm(double eps) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    Spec x = in[0];
    Op.checkSpec(this, "w", in[1], x.type().accumulator(), x.shape().last());
    Op.checkSpec(this, "b", in[2], x.type().accumulator(), x.shape().last());
    return new Spec[] {x, Op.perRow(x), Op.perRow(x)};
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(), g.gradOf(0), g.in(0), g.in(1), g.out(1), g.out(2));
    for (int i = 0; i < 3; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  /**
   * n = (x - mean) rstd; dn = dy w; dx = rstd (dn - avg(dn) - n avg(dn n)); dw = sum over rows of dy n; db = sum of dy.
   * Inputs dy, x, w, mean, rstd; outputs dx, dw, db.
   */
  public record Grad() implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 5);
      Op.check(in[0].equals(in[1]), "LayerNorm.Grad: dy %s and x %s must be alike", in[0], in[1]);
      DType sums = in[1].type().accumulator();
      Op.checkSpec(this, "w", in[2], sums, in[1].shape().last());
      for (int i = 3; i < 5; i++) Op.checkSpec(this, i == 3 ? "mean" : "rstd", in[i], sums, in[1].shape().rows());
      return new Spec[] {in[1], in[2], in[2]};
    }
  }
}
