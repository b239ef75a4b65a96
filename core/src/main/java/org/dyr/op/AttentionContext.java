package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * o[t,h,:] = sum_j p[h,t,j] v[start(t)+j,h,:] over the keys j of token t's sequence; tokens of no sequence get 0.
 * Inputs p (H,T,L), v (T,C), offsets (S+1); output o (T,C).
 */
public record AttentionContext(int heads) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    AttentionScores.checkHeads(this, heads, in[1]);
    AttentionScores.checkRagged(this, "p", in[0]);
    Op.checkSpec(this, "p", in[0], in[1].type(), heads, in[1].shape().dim(0), in[0].shape().last());
    Op.checkIndex(this, "offsets", in[2]);
    return new Spec[] {in[1]};
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads), g.gradOf(0), g.in(0), g.in(1), g.in(2));
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return 2 * in[1].shape().size() * Math.min(in[0].shape().last(), in[1].shape().dim(0));
  }

  /**
   * dp[h,t,j] = do[t,h,:] . v[start+j,h,:], 0 past the end; dv[start+j] = sum_t p[h,t,j] do[t]. Inputs do, p, v,
   * offsets.
   */
  public record Grad(int heads) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 4);
      AttentionScores.checkHeads(this, heads, in[0], in[2]);
      AttentionScores.checkRagged(this, "p", in[1]);
      Op.checkIndex(this, "offsets", in[3]);
      return new Spec[] {in[1], in[2]};
    }

    @Override public long flops(Spec[] in) {
      return 4 * in[0].shape().size() * Math.min(in[1].shape().last(), in[0].shape().dim(0));
    }
  }
}
