package org.dyr.op;

import java.util.Arrays;
import org.dyr.tensor.Spec;

/**
 * c = op(a) op(b) [+ bias] [+ residual]: a matrix product whose sum is taken while the tile of c is in registers. bias
 * is (N); residual is (M,N). In place, c is written over the residual: the product is accumulated.
 *
 * <p>Inputs: a, b, then bias and residual where present.
 *
 * @param wide c (and the residual) in the type that sums have
 */
public record Gemm(boolean transposeA, boolean transposeB, boolean bias, boolean residual, boolean inPlace,
    boolean wide) implements FusedOp {

  /** The plain product. */
  public static Gemm of(MatMul m) {
    return new Gemm(m.transposeA(), m.transposeB(), false, false, false, m.wide());
  }

  /** c in the type of a and b. */
  public Gemm(boolean transposeA, boolean transposeB, boolean bias, boolean residual, boolean inPlace) {
    this(transposeA, transposeB, bias, residual, inPlace, false);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2 + (bias ? 1 : 0) + (residual ? 1 : 0));
    Op.check(residual || !inPlace, "Gemm: in place needs a residual to be written over");
    Spec c = MatMul.product(this, transposeA, transposeB, wide, in[0], in[1]);
    if (bias) Op.checkSpec(this, "bias", in[2], c.type().accumulator(), c.shape().last());
    if (residual) Op.check(in[residualInput()].equals(c), "Gemm: residual %s must be %s", in[residualInput()], c);
    return new Spec[] {c};
  }

  /** Where the residual stands among the inputs. */
  public int residualInput() {
    return bias ? 3 : 2;
  }

  @Override public int aliasOf(int output) {
    return inPlace ? residualInput() : -1;
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value c = r.emit1(new MatMul(transposeA, transposeB, wide), in[0], in[1]);
    if (bias) c = r.emit1(new AddBias(), c, in[2]);
    if (residual) c = r.emit1(new Add(inPlace), in[residualInput()], c);
    return new Value[] {c};
  }

  /** The gradient of the product, and dc itself for bias (summed over rows) and residual. */
  @Override public void backward(Gradients g) {
    if (inPlace) throw new UnsupportedOperationException("Gemm in place has no gradient: its residual is gone");
    new MatMul(transposeA, transposeB, wide).backward(g);
    if (bias && g.wants(2)) g.give(2, g.emit1(new SumRows(), g.gradOf(0)));
    if (residual && g.wants(residualInput())) g.give(residualInput(), g.gradOf(0));
  }

  @Override public long flops(Spec[] in) {
    return new MatMul(transposeA, transposeB, wide).flops(Arrays.copyOf(in, 2));
  }
}
