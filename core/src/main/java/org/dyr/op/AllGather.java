package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * The x of every rank of a meeting, one after the other in the order of ranks. x (S,C), the same shape in every rank;
 * y (R S,C) for R ranks, the same in every rank. With one rank y is x. What more than one rank needs is a kernel that
 * knows its own.
 */
public record AllGather(int ranks) implements Op {

  public AllGather {
    Op.check(ranks >= 1, "AllGather: there must be at least 1 rank, not %d", ranks);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.checkMatrix(this, "x", in[0]);
    return new Spec[] {in[0].with(ranks * in[0].shape().dim(0), in[0].shape().last())};
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Grad(ranks), g.gradOf(0)));
  }

  /**
   * dx = the rows of dy (R S,C) that are this rank's own, (S,C). Every rank computes the same loss of the same y, so
   * the R gradients dy are equal; dx is this rank's part of their mean, and takes no communication.
   */
  public record Grad(int ranks) implements Op {

    public Grad {
      Op.check(ranks >= 1, "AllGather.Grad: there must be at least 1 rank, not %d", ranks);
    }

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 1);
      Op.checkMatrix(this, "dy", in[0]);
      int rows = in[0].shape().dim(0);
      Op.check(rows % ranks == 0, "%s: the %d rows of dy must be %d equal parts", name(), rows, ranks);
      return new Spec[] {in[0].with(rows / ranks, in[0].shape().last())};
    }
  }
}
