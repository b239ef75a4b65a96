package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * loss[g] = log sum_i exp(z[i]) - z[first of g] over the samples i of group g that count: softmax cross-entropy of each
 * group, its positive standing first. Inputs z (S,1), groups i32(G+1): group g has the samples
 * groups[g]..groups[g+1]-1; an empty group has loss 0. Output loss (G).
 *
 * @param kept how many negatives of a group count, the hardest: those with the highest z, of equal ones those that
 *     stand first; a group with fewer keeps all of them
 */
public record GroupCrossEntropy(int kept) implements Op {

  /** As many as there are. */
  public static final int ALL = Integer.MAX_VALUE;

  public GroupCrossEntropy {
    Op.check(kept >= 1, "GroupCrossEntropy: at least 1 negative must be kept, not %d", kept);
  }

  /** All negatives count. */
  public GroupCrossEntropy() {
    this(ALL);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.check(in[0].shape().rank() == 2 && in[0].shape().last() == 1, "%s: z must be (S,1), not %s", name(), in[0]);
    Op.checkIndex(this, "groups", in[1]);
    return new Spec[] {in[0].with(in[1].shape().dim(0) - 1)};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Grad(kept), g.gradOf(0), g.in(0), g.in(1)));
  }

  /**
   * dz[i] = dloss[g] (softmax at i over the samples that count - [i is first]); samples that do not count, or of no
   * group, get 0. Inputs dloss (G), z, groups.
   */
  public record Grad(int kept) implements Op {

    /** All negatives count. */
    public Grad() {
      this(ALL);
    }

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 3);
      Op.checkIndex(this, "groups", in[2]);
      Op.checkSpec(this, "dloss", in[0], in[1].type(), in[2].shape().dim(0) - 1);
      return new Spec[] {in[1]};
    }
  }
}
