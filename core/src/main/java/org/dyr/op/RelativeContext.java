package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * {@link AttentionContext} with an embedding of the distance added to each value: o[t,h,:] = sum_j p[h,t,j]
 * (v[start(t)+j,h,:] + a[clip(j-i),:]), i and clip as in {@link RelativeScores}; tokens of no sequence get 0. Shaw,
 * Uszkoreit and Vaswani 2018, equation 3.
 *
 * <p>Inputs p (H,T,L), v (T,C), table a (2m+1,D), offsets (S+1); output o (T,C).
 */
public record RelativeContext(int heads) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 4);
    AttentionScores.checkHeads(this, heads, in[1]);
    AttentionScores.checkRagged(this, "p", in[0]);
    Op.checkSpec(this, "p", in[0], in[1].type(), heads, in[1].shape().dim(0), in[0].shape().last());
    RelativeScores.checkTable(this, heads, in[2], in[1]);
    Op.checkIndex(this, "offsets", in[3]);
    return new Spec[] {in[1]};
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads), g.gradOf(0), g.in(0), g.in(1), g.in(2), g.in(3));
    for (int i = 0; i < 3; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return RelativeScores.flops(2, in[1], in[2], in[3], in[0].shape().last());
  }

  /**
   * dp[h,t,j] = do[t,h,:] . (v[start+j,h,:] + a[clip(j-i),:]), 0 past the end; dv[start+j] = sum_t p[h,t,j] do[t];
   * da[c] = sum of p[h,t,j] do[t,h,:] over all h, t and j with clip(j-i) = c. Inputs do, p, v, a, offsets.
   */
  public record Grad(int heads) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 5);
      AttentionScores.checkHeads(this, heads, in[0], in[2]);
      AttentionScores.checkRagged(this, "p", in[1]);
      Op.checkSpec(this, "p", in[1], in[0].type(), heads, in[0].shape().dim(0), in[1].shape().last());
      RelativeScores.checkTable(this, heads, in[3], in[0]);
      Op.checkIndex(this, "offsets", in[4]);
      return new Spec[] {in[1], in[2], in[3]};
    }

    @Override public long flops(Spec[] in) {
      return RelativeScores.flops(4, in[0], in[3], in[4], in[1].shape().last());
    }
  }
}
