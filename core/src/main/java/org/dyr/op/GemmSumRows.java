package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * c = a^T b [+ residual], and y[m] = sum over rows r of a[r,m]: the gradients of a layer's weight and of its bias, with
 * a read once. a (R,M), b (R,N), residual and c (M,N), y (M).
 *
 * <p>Inputs: a, b, then residual where present. Outputs: c, y; y in the type that sums have.
 */
public record GemmSumRows(Gemm of) implements FusedOp {

  @Override public Spec[] outputs(Spec... in) {
    Op.check(of.transposeA() && !of.transposeB() && !of.bias(), "%s: takes a^T b without bias, not %s", name(), of);
    return new Spec[] {of.outputs(in)[0], new SumRows().outputs(in[0])[0]};
  }

  @Override public int aliasOf(int output) {
    return output == 0 ? of.aliasOf(0) : -1;
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    return new Value[] {r.emit1(of, in), r.emit1(new SumRows(), in[0])};
  }

  /** @throws UnsupportedOperationException always: it is part of a gradient */
  @Override public void backward(Gradients g) {
    throw new UnsupportedOperationException(name() + " has no gradient: it is one");
  }

  @Override public long flops(Spec[] in) {
    return of.flops(in);
  }
}
