package org.dyr.op;

import java.util.Arrays;
import org.dyr.tensor.Spec;

/**
 * Multi-head attention of each packed sequence over itself: o = dropout(softmax(q k^T / sqrt(D))) v, a tile of the
 * scores at a time. Tokens past offsets[S] belong to no sequence and get 0. Dao et al., "FlashAttention", 2022.
 *
 * <p>Inputs q (Q,C), k, v (T,C), offsets i32(S+1), and with probability above 0 random i32(4) and sequence i32(S).
 * Outputs o (Q,C) and lse (H,Q), the logarithm of each row's softmax sum, kept for the backward.
 *
 * @param longest no sequence is longer
 * @param queries which tokens the Q queries are of
 */
public record Attention(int heads, int longest, double probability, int site, Queries queries) implements FusedOp {

  public Attention(int heads, int longest, double probability, int site) {
    this(heads, longest, probability, site, Queries.ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, probability > 0 ? 6 : 4);
    AttentionScores.checkHeads(this, heads, in[1], in[2]);
    AttentionScores.checkQueries(this, queries, in[1], in[3], in[0]);
    if (probability > 0) AttentionDropout.checkRandom(this, in[4], in[3], in[5]);
    return new Spec[] {in[0], in[0].with(heads, in[0].shape().dim(0)).as(in[0].type().accumulator())};
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value s = r.emit1(new AttentionScores(heads, longest, queries), in[0], in[1], in[3]);
    Value[] p = r.emit(new AttentionSoftmax(queries), s, in[3]);
    Value kept = drop(r, p[0], in, 3);
    return new Value[] {r.emit1(new AttentionContext(heads, queries), kept, in[2], in[3]), p[1]};
  }

  /** The dropout of p, whose inputs stand behind the offsets. */
  Value drop(Recorder r, Value p, Value[] in, int offsets) {
    if (probability == 0) return p;
    return r.emit1(new AttentionDropout(probability, site, queries), p, in[offsets + 1], in[offsets], in[offsets + 2]);
  }

  @Override public void backward(Gradients g) {
    Value[] in = {g.gradOf(0), g.in(0), g.in(1), g.in(2), g.out(0), g.out(1), g.in(3)};
    if (probability > 0) {
      in = Arrays.copyOf(in, 9);
      in[7] = g.in(4);
      in[8] = g.in(5);
    }
    Value[] d = g.emit(new Grad(this), in);
    for (int i = 0; i < 3; i++) if (g.wants(i)) g.give(i, d[i]);
  }

  @Override public long flops(Spec[] in) {
    return 4 * in[1].shape().last() * AttentionScores.pairs(queries, in[1], in[3], longest);
  }

  @Override public String name() {
    return "Attention" + queries.mark();
  }

  /**
   * p = exp(s - lse) once more, pd = dropout(p); dv = pd^T do; dpd = do v^T; dp = dropout(dpd);
   * ds = p (dp - sum_j p dp), where sum_j p dp = do . o; dq = ds k / sqrt(D); dk = ds^T q / sqrt(D).
   * Inputs do, q, k, v, o, lse, offsets, then random and sequence where something is dropped; outputs dq, dk, dv.
   */
  public record Grad(Attention of) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, of.probability > 0 ? 9 : 7);
      AttentionScores.checkHeads(this, of.heads, in[2], in[3]);
      AttentionScores.checkQueries(this, of.queries, in[2], in[6], in[1], in[0], in[4]);
      Op.checkSpec(this, "lse", in[5], in[1].type().accumulator(), of.heads, in[1].shape().dim(0));
      if (of.probability > 0) AttentionDropout.checkRandom(this, in[7], in[6], in[8]);
      return new Spec[] {in[1], in[2], in[3]};
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value s = r.emit1(new AttentionScores(of.heads, of.longest, of.queries), in[1], in[2], in[6]);
      Value p = r.emit(new AttentionSoftmax(of.queries), s, in[6])[0];
      Value[] d = r.emit(new AttentionContext.Grad(of.heads, of.queries), in[0], of.drop(r, p, in, 6), in[3], in[6]);
      Value ds = r.emit1(new AttentionSoftmax.Grad(of.queries), of.drop(r, d[0], in, 6), p, in[6]);
      Value[] qk = r.emit(new AttentionScores.Grad(of.heads, of.queries), ds, in[1], in[2], in[6]);
      return new Value[] {qk[0], qk[1], d[1]};
    }

    @Override public long flops(Spec[] in) {
      return 10 * in[2].shape().last() * AttentionScores.pairs(of.queries, in[2], in[6], of.longest);
    }

    @Override public String name() {
      return "Attention.Grad" + of.queries.mark();
    }
  }
}
