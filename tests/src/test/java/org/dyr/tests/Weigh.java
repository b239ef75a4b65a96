package org.dyr.tests;

import org.dyr.op.Activation;
import org.dyr.op.FusedOp;
import org.dyr.op.Gradients;
import org.dyr.op.Op;
import org.dyr.op.Recorder;
import org.dyr.op.Value;
import org.dyr.tensor.Spec;

/**
 * y = x gelu'(c) elementwise: gives every element of an op's output a weight of its own in the scalar loss of a
 * gradient check. Inputs x, c alike; c is constant. Linear in x, so it is its own gradient. Written as a module outside
 * of core would write a fused op.
 */
record Weigh() implements FusedOp {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].equals(in[1]), "Weigh: x %s and c %s must be alike", in[0], in[1]);
    return new Spec[] {in[0]};
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    return r.emit(new Activation.Grad(Activation.Kind.GELU), in);
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(this, g.gradOf(0), g.in(1)));
  }
}
