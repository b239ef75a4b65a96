package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * One of two rows by a number that only the device knows yet: y = rows[0] when x is finite, rows[1] when it is infinite
 * or NaN. Inputs rows (2,K), x (1); output y (K).
 */
public record IfFinite() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].type().isFloating() && in[0].shape().rank() == 2 && in[0].shape().dim(0) == 2,
        "IfFinite: rows must be floating (2,K), not %s", in[0]);
    Op.checkSpec(this, "x", in[1], in[0].type(), 1);
    return new Spec[] {in[0].with(in[0].shape().dim(1))};
  }
}
