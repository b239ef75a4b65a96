package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * s[h,t,j] = q[t,h,:] . k[start(t)+j,h,:] / sqrt(D) for the keys j of query t's own sequence; places past its end are
 * 0. Inputs q (Q,C), k (T,C) with C = H D, offsets i32(S+1): sequence s has the tokens offsets[s]..offsets[s+1]-1;
 * tokens past offsets[S] belong to none. Output s (H,Q,L).
 *
 * @param longest L, no sequence is longer
 * @param queries which tokens the Q queries are of
 */
public record AttentionScores(int heads, int longest, Queries queries) implements Op {

  public AttentionScores(int heads, int longest) {
    this(heads, longest, Queries.ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    checkHeads(this, heads, in[1]);
    checkQueries(this, queries, in[1], in[2], in[0]);
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

  /** Matrices of a row a query, for the keys k. */
  static void checkQueries(Op op, Queries queries, Spec k, Spec offsets, Spec... in) {
    Op.checkIndex(op, "offsets", offsets);
    int rows = queries.rows(k.shape().dim(0), offsets.shape().dim(0) - 1);
    for (Spec x : in) Op.checkSpec(op, "what has a row a query", x, k.type(), rows, k.shape().last());
  }

  /** The pairs of a query and a key among the keys k. */
  static long pairs(Queries queries, Spec k, Spec offsets, int longest) {
    return queries.pairs(k.shape().dim(0), offsets.shape().dim(0) - 1, longest);
  }

  /** An (H,Q,L) tensor. */
  static void checkRagged(Op op, String what, Spec in) {
    Op.check(in.shape().rank() == 3 && in.type().isFloating(), "%s: %s must be (H,Q,L), not %s", op.name(), what, in);
  }

  /** An (H,Q,L) tensor and the offsets of its sequences. */
  static void checkRagged(Op op, Queries queries, String what, Spec in, Spec offsets) {
    checkRagged(op, what, in);
    Op.checkIndex(op, "offsets", offsets);
    int rows = in.shape().dim(1), expected = queries.rows(rows, offsets.shape().dim(0) - 1);
    Op.check(rows == expected, "%s: %s must have %d queries, not %d", op.name(), what, expected, rows);
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads, queries), g.gradOf(0), g.in(0), g.in(1), g.in(2));
    for (int i = 0; i < 2; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return 2 * in[1].shape().last() * pairs(queries, in[1], in[2], longest);
  }

  /**
   * dq[t] = sum_j ds[h,t,j] k[start+j] / sqrt(D); dk[start+j] = sum_t ds[h,t,j] q[t] / sqrt(D). Inputs ds, q, k,
   * offsets.
   */
  public record Grad(int heads, Queries queries) implements Op {

    public Grad(int heads) {
      this(heads, Queries.ALL);
    }

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 4);
      checkRagged(this, "ds", in[0]);
      checkHeads(this, heads, in[2]);
      checkQueries(this, queries, in[2], in[3], in[1]);
      Op.checkSpec(this, "ds", in[0], in[1].type(), heads, in[1].shape().dim(0), in[0].shape().last());
      return new Spec[] {in[1], in[2]};
    }

    @Override public long flops(Spec[] in) {
      return 4 * in[2].shape().last() * pairs(queries, in[2], in[3], in[0].shape().last());
    }
  }
}
