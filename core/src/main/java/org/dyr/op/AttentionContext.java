package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * o[t,h,:] = sum_j p[h,t,j] v[start(t)+j,h,:] over the keys j of query t's sequence; queries of no sequence, or of an
 * empty one, get 0. Inputs p (H,Q,L), v (T,C), offsets (S+1); output o (Q,C).
 */
public record AttentionContext(int heads, Queries queries) implements Op {

  public AttentionContext(int heads) {
    this(heads, Queries.ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    AttentionScores.checkHeads(this, heads, in[1]);
    AttentionScores.checkRagged(this, "p", in[0]);
    Op.checkIndex(this, "offsets", in[2]);
    int rows = queries.rows(in[1].shape().dim(0), in[2].shape().dim(0) - 1);
    Op.checkSpec(this, "p", in[0], in[1].type(), heads, rows, in[0].shape().last());
    return new Spec[] {in[1].with(rows, in[1].shape().last())};
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads, queries), g.gradOf(0), g.in(0), g.in(1), g.in(2));
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return 2 * in[1].shape().last() * AttentionScores.pairs(queries, in[1], in[2], in[0].shape().last());
  }

  /**
   * dp[h,t,j] = do[t,h,:] . v[start+j,h,:], 0 past the end; dv[start+j] = sum_t p[h,t,j] do[t]. Inputs do, p, v,
   * offsets.
   */
  public record Grad(int heads, Queries queries) implements Op {

    public Grad(int heads) {
      this(heads, Queries.ALL);
    }

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 4);
      AttentionScores.checkHeads(this, heads, in[2]);
      AttentionScores.checkQueries(this, queries, in[2], in[3], in[0]);
      AttentionScores.checkRagged(this, "p", in[1]);
      Op.checkSpec(this, "p", in[1], in[0].type(), heads, in[0].shape().dim(0), in[1].shape().last());
      return new Spec[] {in[1], in[2]};
    }

    @Override public long flops(Spec[] in) {
      return 4 * in[2].shape().last() * AttentionScores.pairs(queries, in[2], in[3], in[1].shape().last());
    }
  }
}
