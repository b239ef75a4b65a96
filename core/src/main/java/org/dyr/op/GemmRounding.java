package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * A product whose right operand lies in the type that sums have, and is rounded to that of the left one where the
 * product reads it: a trained weight among activations of 16 bits. No rounded copy of it lives from forward to
 * backward.
 *
 * <p>Inputs and outputs are those of the product.
 *
 * @param of {@link MatMul}, {@link Gemm}, {@link GemmActivation} or {@link GemmActivation.Grad}; its own b is (K,N) or
 *     (N,K), not in {@link Panels}
 */
public record GemmRounding(Op of) implements FusedOp {
  /** Where every product has its right operand. */
  public static final int RIGHT = 1;

  @Override public Spec[] outputs(Spec... in) {
    Op.check(in.length > RIGHT, "%s: takes a and b at least, not %d inputs", name(), in.length);
    DType sums = in[0].type().accumulator();
    Op.check(in[RIGHT].type() == sums, "%s: b must be %s, not %s", name(), sums, in[RIGHT]);
    return of.outputs(rounded(in));
  }

  /** The inputs that the product has. */
  private static Spec[] rounded(Spec[] in) {
    Spec[] of = in.clone();
    of[RIGHT] = in[RIGHT].as(in[0].type());
    return of;
  }

  @Override public int aliasOf(int output) {
    return of.aliasOf(output);
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value[] to = in.clone();
    to[RIGHT] = r.emit1(new Cast(in[0].spec().type()), in[RIGHT]);
    return r.emit(of, to);
  }

  /** @throws UnsupportedOperationException always: it is made where all gradients are recorded */
  @Override public void backward(Gradients g) {
    throw new UnsupportedOperationException(name() + " has no gradient: it is fused behind differentiation");
  }

  @Override public long flops(Spec[] in) {
    return of.flops(rounded(in));
  }

  @Override public String name() {
    return of.name() + "[ROUNDING]";
  }
}
