package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * {@link Dropout} of attention probabilities. Row and column are query and key by their places in their sequence, the
 * head joins the site: the mask is the same whatever L and Q are. Inputs p (H,Q,L), random i32(4), offsets i32(S+1),
 * sequence i32(S): each sequence's number in the global batch.
 */
public record AttentionDropout(double probability, int site, Queries queries) implements Op {

  public AttentionDropout(double probability, int site) {
    this(probability, site, Queries.ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 4);
    Philox.checkProbability(this, probability);
    AttentionScores.checkRagged(this, queries, "p", in[0], in[2]);
    checkRandom(this, in[1], in[2], in[3]);
    return new Spec[] {in[0]};
  }

  static void checkRandom(Op op, Spec random, Spec offsets, Spec sequence) {
    Op.checkSpec(op, "random", random, DType.I32, Philox.STATE_WORDS);
    Op.checkIndex(op, "offsets", offsets);
    Op.checkSpec(op, "sequence", sequence, DType.I32, offsets.shape().dim(0) - 1);
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(this, g.gradOf(0), g.in(1), g.in(2), g.in(3)));
  }
}
