package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * s[h,t,j] = q[t,h,:] . k[start(t)+j,h,:] / sqrt(D) for the keys j of token t's own sequence; places past its end are
 * 0. Inputs q, k (T,C) with C = H D, offsets i32(S+1): sequence s has the tokens offsets[s]..offsets[s+1]-1; tokens
 * past offsets[S] belong to none. Output s (H,T,L).
 *
 * @param longest L, no sequence is longer
 */
public record AttentionScores(int heads, int longest) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    checkHeads(this, heads, in[0], in[1]);
    Op.checkIndex(this, "offsets", in[2]);
    return new Spec[] {in[0].with(heads, in[0].shape().dim(0), longest)};
  }

  /** Matrices of one shape whose columns divide into the heads. */
  static void checkHeads(Op op, int heads, Spec... in) {
    for (Spec x : in) {
      Op.checkMatrix(op, "queries, keys and values", x);
      Op.check(x.equals(in[0]), "%s: %s and %s must be alike", op.name(), in[0], x);
    }
    int c = in[0].shape().last();
    Op.check(heads > 0 && c % heads == 0, "%s: %d columns do not divide into %d heads", op.name(), c, heads);
  }

  /** An (H,T,L) tensor of this many tokens. */
  static void checkRagged(Op op, String what, Spec in) {
    Op.check(in.shape().rank() == 3 && in.type().isFloating(), "%s: %s must be (H,T,L), not %s", op.name(), what, in);
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads), g.gradOf(0), g.in(0), g.in(1), g.in(2));
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return 2 * in[0].shape().size() * Math.min(longest, in[0].shape().dim(0));
  }

  /**
   * dq[t] = sum_j ds[h,t,j] k[start+j] / sqrt(D); dk[start+j] = sum_t ds[h,t,j] q[t] / sqrt(D). Inputs ds, q, k,
   * offsets.
   */
  public record Grad(int heads) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 4);
      checkRagged(this, "ds", in[0]);
      checkHeads(this, heads, in[1], in[2]);
      Op.checkSpec(this, "ds", in[0], in[1].type(), heads, in[1].shape().dim(0), in[0].shape().last());
      Op.checkIndex(this, "offsets", in[3]);
      return new Spec[] {in[1], in[2]};
    }

    @Override public long flops(Spec[] in) {
      return 4 * in[1].shape().size() * Math.min(in[0].shape().last(), in[1].shape().dim(0));
    }
  }
}
