package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * What a gradient is multiplied by before the update. With n2 the squared norm of the gradient as it stands, and s the
 * loss scale it carries: norm = sqrt(n2) / s; factor = min(1, maxNorm / norm) / s; maxNorm 0 never clips. An infinite
 * or NaN norm gives factor NaN: the update is then skipped. Inputs n2 (1), s (1); outputs factor (1), norm (1).
 */
public record ClipFactor(double maxNorm) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    for (Spec s : in) Op.checkSpec(this, "norm and scale", s, in[0].type(), 1);
    Op.check(maxNorm >= 0, "ClipFactor: the norm to clip at must not be negative, it is %s", maxNorm);
    return new Spec[] {in[0], in[0]};
  }

  /** The factor, as every device computes it. */
  public double factor(double squaredNorm, double scale) {
    double norm = Math.sqrt(squaredNorm) / scale;
    if (!Double.isFinite(norm)) return Double.NaN;
    return (maxNorm > 0 && norm > maxNorm ? maxNorm / norm : 1) / scale;
  }
}
