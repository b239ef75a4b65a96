package org.dyr.op;

import java.util.Arrays;
import org.dyr.tensor.Spec;

/**
 * u = op(a) op(b); y = f(u + bias): a product and the activation behind it, tile by tile while the tile is in the cache.
 * a, b as {@link MatMul} has them; bias (N); y, u (M,N).
 *
 * <p>Inputs a, b, bias. Outputs y and, where it is kept, u.
 *
 * @param kept whether u is an output: a backward reads it
 */
public record GemmActivation(boolean transposeA, boolean transposeB, Activation.Kind kind, boolean kept)
    implements FusedOp {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 3);
    Spec u = new MatMul(transposeA, transposeB).outputs(in[0], in[1])[0];
    Op.checkSpec(this, "bias", in[2], u.type().accumulator(), u.shape().last());
    return kept ? new Spec[] {u, u} : new Spec[] {u};
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value u = r.emit1(new MatMul(transposeA, transposeB), in[0], in[1]);
    Value y = r.emit1(new BiasActivation(kind), u, in[2]);
    return kept ? new Value[] {y, u} : new Value[] {y};
  }

  /** @throws UnsupportedOperationException always: it is made where all gradients are recorded */
  @Override public void backward(Gradients g) {
    throw new UnsupportedOperationException(name() + " has no gradient: it is fused behind differentiation");
  }

  @Override public long flops(Spec[] in) {
    return new MatMul(transposeA, transposeB).flops(Arrays.copyOf(in, 2));
  }

  /**
   * dy = op(a) op(b); dx = dy f'(x + bias): the product that brings the gradient of an activation, and the way back
   * through it. Inputs a, b, x (M,N), bias (N); output dx (M,N).
   */
  public record Grad(boolean transposeA, boolean transposeB, Activation.Kind kind) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, 4);
      Spec dy = new MatMul(transposeA, transposeB).outputs(in[0], in[1])[0];
      return new BiasActivation.Grad(kind).outputs(dy, in[2], in[3]);
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value dy = r.emit1(new MatMul(transposeA, transposeB), in[0], in[1]);
      return r.emit(new BiasActivation.Grad(kind), dy, in[2], in[3]);
    }

    @Override public long flops(Spec[] in) {
      return new MatMul(transposeA, transposeB).flops(Arrays.copyOf(in, 2));
    }
  }
}
