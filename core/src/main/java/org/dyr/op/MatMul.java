package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * c = op(a) op(b), where op transposes or not: a is (M,K) or transposed (K,M); b is (K,N) or transposed (N,K); c (M,N).
 * Instead of a transposed b, its {@link Panels} may be given.
 *
 * @param wide c is in the type that sums have, not rounded to that of the operands
 */
public record MatMul(boolean transposeA, boolean transposeB, boolean wide) implements Op {

  /** c in the type of its operands. */
  public MatMul(boolean transposeA, boolean transposeB) {
    this(transposeA, transposeB, false);
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 2);
    return new Spec[] {product(this, transposeA, transposeB, wide, in[0], in[1])};
  }

  /** The shape rule of a product; {@link Gemm} has the same. */
  static Spec product(Op op, boolean transposeA, boolean transposeB, boolean wide, Spec a, Spec b) {
    Op.checkMatrix(op, "a", a);
    Shape right = b.shape();
    if (Panels.of(right).isPresent()) {
      Op.check(transposeB, "%s: b in panels is transposed", op.name());
      right = Panels.weight(right);
    } else {
      Op.checkMatrix(op, "b", b);
    }
    int m = a.shape().dim(transposeA ? 1 : 0), ka = a.shape().dim(transposeA ? 0 : 1);
    int n = right.dim(transposeB ? 0 : 1), kb = right.dim(transposeB ? 1 : 0);
    Op.check(ka == kb, "%s: inner sizes differ: a %s has %d, b %s has %d", op.name(), a, ka, b, kb);
    Op.check(a.type() == b.type(), "%s: types differ: a %s, b %s", op.name(), a, b);
    return Spec.of(wide ? a.type().accumulator() : a.type(), m, n);
  }

  /**
   * da = dc op(b)^T, db = op(a)^T dc, each transposed back where its operand was.
   *
   * @throws UnsupportedOperationException when b is in panels
   */
  @Override public void backward(Gradients g) {
    if (Panels.of(g.in(1).shape()).isPresent()) {
      throw new UnsupportedOperationException(name() + " has no gradient where b is in panels");
    }
    Value d = g.gradOf(0);
    DType type = g.in(0).spec().type();
    if (d.spec().type() != type) d = g.emit1(new Cast(type), d);
    if (g.wants(0)) {
      g.give(0, transposeA
          ? g.emit1(new MatMul(transposeB, true), g.in(1), d)
          : g.emit1(new MatMul(false, !transposeB), d, g.in(1)));
    }
    if (g.wants(1)) {
      g.give(1, transposeB
          ? g.emit1(new MatMul(true, transposeA), d, g.in(0))
          : g.emit1(new MatMul(!transposeA, false), g.in(0), d));
    }
  }

  @Override public long flops(Spec[] in) {
    return 2 * in[0].shape().size() * outputs(in)[0].shape().last();
  }
}
