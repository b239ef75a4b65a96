package org.dyr.op;

import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;
import org.dyr.tensor.Spec;

/**
 * An operation as plain data: its shape rule, its gradient, its cost. The {@code permits} clause is the catalogue of
 * the primitives; {@link FusedOp} is open to everyone. What a primitive computes is defined by its plain loop in
 * Reference.
 */
public sealed interface Op
    permits Cast, MatMul, Panels, AddBias, Add, Scale, Activation, Activation.Grad, Gather, Gather.Grad, LayerNorm,
        LayerNorm.Grad, Dropout, AttentionScores, AttentionScores.Grad, AttentionSoftmax, AttentionSoftmax.Grad,
        AttentionDropout, AttentionContext, AttentionContext.Grad, RelativeScores, RelativeScores.Grad, RelativeContext,
        RelativeContext.Grad, GroupCrossEntropy, GroupCrossEntropy.Grad, Sum, Broadcast, SumRows, SumSquares, AllFinite,
        IfFinite, ClipFactor, Update, AllGather, AllGather.Grad, FusedOp {

  /**
   * The shape rule.
   *
   * @throws ShapeException when the inputs do not fit the op, saying what must hold and what came
   */
  Spec[] outputs(Spec... in);

  /**
   * Records the ops of this op's gradient.
   *
   * @throws UnsupportedOperationException when the op has none: nothing detaches in silence
   */
  default void backward(Gradients g) {
    throw new UnsupportedOperationException(name() + " has no gradient");
  }

  /** The input whose memory output {@code i} overwrites, or -1 when the output has memory of its own. */
  default int aliasOf(int output) {
    return -1;
  }

  /**
   * Floating-point operations: a multiply-add counts two. Elementwise work is not counted. Attention's are those of
   * sequences of one length, the fewest that so many tokens and sequences take.
   */
  default long flops(Spec[] in) {
    return 0;
  }

  /** Bytes moved when each operand is touched once; an output that overwrites an input is read and written. */
  default long bytes(Spec[] in) {
    long b = 0;
    for (Spec s : in) b += s.bytes();
    for (Spec s : outputs(in)) b += s.bytes();
    return b;
  }

  /** {@code LayerNorm.Grad}. */
  default String name() {
    Class<?> outer = getClass().getEnclosingClass();
    return (outer == null ? "" : outer.getSimpleName() + ".") + getClass().getSimpleName();
  }

  /** Fails unless {@code holds}; for shape rules. */
  static void check(boolean holds, String format, Object... args) {
    if (!holds) throw new ShapeException(format, args);
  }

  /** Fails unless there are {@code n} inputs. */
  static void arity(Op op, Spec[] in, int n) {
    check(in.length == n, "%s: takes %d inputs, not %d", op.name(), n, in.length);
  }

  /** Fails unless the input is a vector of 32-bit integers. */
  static void checkIndex(Op op, String what, Spec in) {
    check(in.type() == DType.I32 && in.shape().rank() == 1, "%s: %s must be i32(n), not %s", op.name(), what, in);
  }

  /** Fails unless the input has this type and these sizes. */
  static void checkSpec(Op op, String what, Spec in, DType type, int... dims) {
    check(in.equals(Spec.of(type, dims)), "%s: %s must be %s, not %s", op.name(), what, Spec.of(type, dims), in);
  }

  /** {@code (T,C)} as a matrix. */
  static void checkMatrix(Op op, String what, Spec in) {
    check(in.shape().rank() == 2 && in.type().isFloating(), "%s: %s must be a matrix, not %s", op.name(), what, in);
  }

  /** One statistic a row. */
  static Spec perRow(Spec x) {
    return new Spec(Shape.of(x.shape().rows()), x.type().accumulator());
  }
}
