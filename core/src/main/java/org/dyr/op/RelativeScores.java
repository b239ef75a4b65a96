package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * {@link AttentionScores} with an embedding of the distance added to each key: s[h,t,j] = q[t,h,:] .
 * (k[start(t)+j,h,:] + a[clip(j-i),:]) / sqrt(D), i the place of token t in its sequence, clip(d) = min(max(d, -m), m)
 * + m. Shaw, Uszkoreit and Vaswani, "Self-Attention with Relative Position Representations", 2018, equation 4.
 *
 * <p>Inputs q, k (T,C), table a (2m+1,D) for all heads, offsets i32(S+1). Output s (H,T,L).
 *
 * @param longest L, no sequence is longer
 */
public record RelativeScores(int heads, int longest) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 4);
    AttentionScores.checkHeads(this, heads, in[0], in[1]);
    checkTable(this, heads, in[2], in[0]);
    Op.checkIndex(this, "offsets", in[3]);
    return new Spec[] {in[0].with(heads, in[0].shape().dim(0), longest)};
  }

  /** A table of distances for the heads of {@code x} (T,C): an odd number of rows of D columns. */
  static void checkTable(Op op, int heads, Spec table, Spec x) {
    Op.checkMatrix(op, "the table of distances", table);
    int rows = table.shape().dim(0);
    Op.check(rows % 2 == 1 && rows > 1, "%s: the table of distances must have 2m+1 rows, m at least 1, not %d",
        op.name(), rows);
    Op.checkSpec(op, "the table of distances", table, x.type(), rows, x.shape().last() / heads);
  }

  /** Of so many for each column of a query and a key, and of a query and a distance. */
  static long flops(int each, Spec x, Spec table, Spec offsets, int longest) {
    long distances = (long) x.shape().dim(0) * table.shape().dim(0);
    return each * x.shape().last() * (AttentionScores.pairs(Queries.ALL, x, offsets, longest) + distances);
  }

  @Override public void backward(Gradients g) {
    Value[] d = g.emit(new Grad(heads), g.gradOf(0), g.in(0), g.in(1), g.in(2), g.in(3));
    for (int i = 0; i < 3; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return flops(2, in[0], in[2], in[3], longest);
  }

  /**
   * dq[t] = sum_j ds[h,t,j] (k[start+j] + a[clip(j-i)]) / sqrt(D); dk[start+j] = sum_t ds[h,t,j] q[t] / sqrt(D);
   * da[c] = sum of ds[h,t,j] q[t,h,:] / sqrt(D) over all h, t and j with clip(j-i) = c. Inputs ds, q, k, a, offsets.
   */
  public record Grad(int heads) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 5);
      AttentionScores.checkRagged(this, "ds", in[0]);
      AttentionScores.checkHeads(this, heads, in[1], in[2]);
      Op.checkSpec(this, "ds", in[0], in[1].type(), heads, in[1].shape().dim(0), in[0].shape().last());
      checkTable(this, heads, in[3], in[1]);
      Op.checkIndex(this, "offsets", in[4]);
      return new Spec[] {in[1], in[2], in[3]};
    }

    @Override public long flops(Spec[] in) {
      return RelativeScores.flops(4, in[1], in[3], in[4], in[0].shape().last());
    }
  }
}
