package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * p[h,t,j] = exp(s[h,t,j] - lse[h,t]) over the keys j of query t's sequence, 0 past its end; lse[h,t] = log sum_j
 * exp(s). Queries of no sequence, or of an empty one, have p = 0 and lse = 0. Inputs s (H,Q,L), offsets (S+1); outputs
 * p (H,Q,L), lse (H,Q).
 */
public record AttentionSoftmax(Queries queries) implements Op {

  public AttentionSoftmax() {
    this(Queries.ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    AttentionScores.checkRagged(this, queries, "s", in[0], in[1]);
    Spec lse = in[0].with(in[0].shape().dim(0), in[0].shape().dim(1)).as(in[0].type().accumulator());
    return new Spec[] {in[0], lse};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Grad(queries), g.gradOf(0), g.out(0), g.in(1)));
  }

  /** ds = p (dp - sum_j p dp). Inputs dp, p (H,Q,L), offsets. */
  public record Grad(Queries queries) implements Op {

    public Grad() {
      this(Queries.ALL);
    }

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 3);
      AttentionScores.checkRagged(this, queries, "p", in[1], in[2]);
      Op.check(in[0].equals(in[1]), "%s: dp %s and p %s must be alike", name(), in[0], in[1]);
      return new Spec[] {in[1]};
    }
  }
}
