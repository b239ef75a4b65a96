package org.dyr.op;

import org.dyr.tensor.Spec;

/** y = f(x) elementwise. */
public record Activation(Kind kind) implements Op {

  /** The functions, with their formulas. */
  public enum Kind {
    /** x Phi(x) = x/2 (1 + erf(x / sqrt 2)); f' = Phi(x) + x phi(x). Hendrycks and Gimpel 2016. */
    GELU,
    /** x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the approximation of the same paper. */
    GELU_TANH,
    /** max(x, 0); f'(0) = 0. */
    RELU,
    /** tanh x; f' = 1 - tanh^2 x. */
    TANH
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.check(in[0].type().isFloating(), "Activation: x must be floating, not %s", in[0]);
    return new Spec[] {in[0]};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Grad(kind), g.gradOf(0), g.in(0)));
  }

  @Override public String name() {
    return "Activation[" + kind + "]";
  }

  /** dx = dy f'(x). Inputs dy, x. */
  public record Grad(Kind kind) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 2);
      Op.check(in[0].equals(in[1]), "%s: dy %s and x %s must be alike", name(), in[0], in[1]);
      return new Spec[] {in[1]};
    }

    @Override public String name() {
      return "Activation.Grad[" + kind + "]";
    }
  }
}
