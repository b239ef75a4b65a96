package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * y[r,:] = table[index[r],:]: embedding lookup, and the picking of [CLS] rows. table (V,C), index i32(R), y (R,C). An
 * index must lie in 0..V-1: whoever fills it has checked that.
 */
public record Gather() implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    Op.checkMatrix(this, "table", in[0]);
    Op.checkIndex(this, "index", in[1]);
    return new Spec[] {in[0].with(in[1].shape().dim(0), in[0].shape().last())};
  }

  /** Of the table only the rows that are taken. */
  @Override public long bytes(Spec[] in) {
    return in[1].bytes() + 2 * outputs(in)[0].bytes();
  }

  @Override public void backward(Gradients g) {
    if (g.wants(0)) g.give(0, g.emit1(new Grad(g.in(0).shape().dim(0)), g.gradOf(0), g.in(1)));
  }

  /** dtable[v,:] = sum of dy[r,:] over the rows r with index[r] = v, in the order of r. Inputs dy (R,C), index (R). */
  public record Grad(int rows) implements Op {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 2);
      Op.checkMatrix(this, "dy", in[0]);
      Op.checkSpec(this, "index", in[1], DType.I32, in[0].shape().dim(0));
      return new Spec[] {in[0].with(rows, in[0].shape().last())};
    }
  }
}
