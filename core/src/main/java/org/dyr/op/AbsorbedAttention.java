package org.dyr.op;

import org.dyr.tensor.Spec;

/**
 * {@link Attention} where the first token of each packed sequence alone asks, together with the projections k = x W_k^T
 * + b_k and v = x W_v^T + b_v, of which it needs neither. For head h, its rows of the weights and its query q:
 *
 * <pre>
 * q . k_j = (W_k^T q) . x_j + q . b_k, and what is the same for all keys leaves the softmax as it was
 * o = sum_j p_j v_j = W_v sum_j p_j x_j + b_v, for the p_j add up to 1
 * </pre>
 *
 * Queries and outputs, of which there are few, absorb the weights: 4 T H E + 4 S C E operations, not 4 T C E. An empty
 * sequence gets 0. The idea is that of multi-head latent attention, Liu et al., "DeepSeek-V2", 2024.
 *
 * <p>Inputs q (S,C), x (T,E), W_k (C,E), b_k (C), W_v (C,E), b_v (C), offsets i32(S+1), the weights also as their
 * {@link Panels}; output o (S,C).
 *
 * @param longest no sequence is longer
 */
public record AbsorbedAttention(int heads, int longest) implements FusedOp {
  /** What keys and values are made by. */
  public static final Gemm PROJECTION = new Gemm(false, true, true, false, false);

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 7);
    Spec k = PROJECTION.outputs(in[1], in[2], in[3])[0], v = PROJECTION.outputs(in[1], in[4], in[5])[0];
    return new Spec[] {attention().outputs(in[0], k, v, in[6])[0]};
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value k = r.emit1(PROJECTION, in[1], in[2], in[3]), v = r.emit1(PROJECTION, in[1], in[4], in[5]);
    return new Value[] {r.emit(attention(), in[0], k, v, in[6])[0]};
  }

  private Attention attention() {
    return new Attention(heads, longest, 0, 0, Queries.FIRST);
  }

  /** @throws UnsupportedOperationException always: it is made where all gradients are recorded */
  @Override public void backward(Gradients g) {
    throw new UnsupportedOperationException(name() + " has no gradient: it is fused behind differentiation");
  }

  @Override public long flops(Spec[] in) {
    return 4L * in[1].shape().size() * heads + 4L * in[0].shape().size() * in[1].shape().last();
  }
}
