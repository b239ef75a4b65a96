package org.dyr.op;

import java.util.Arrays;
import org.dyr.tensor.Spec;

/**
 * h = dropout(x [+ bias]) + residual; y = layer norm of h: the end of both halves of an encoder layer in one pass. With
 * probability 0 nothing is dropped and the random inputs are absent.
 *
 * <p>Inputs x, residual (R,C), w, b (C), then random, sequence, position as {@link Dropout} has them, then bias (C).
 * Outputs y (R,C) and, where they are kept, h (R,C), mean, rstd (R).
 *
 * @param kept whether h, mean and rstd are outputs: the backward reads them
 * @param bias whether there is one: its gradient is then summed in the pass that makes dx
 */
public record DropoutAddLayerNorm(double probability, int site, double eps, boolean kept, boolean bias)
    implements KeepingOp {

  /** Keeps what the backward reads. */
  public DropoutAddLayerNorm(double probability, int site, double eps, boolean bias) {
    this(probability, site, eps, true, bias);
  }

  /** Where bias stands among the inputs. */
  public int biasInput() {
    return probability > 0 ? 7 : 4;
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, biasInput() + (bias ? 1 : 0));
    Op.check(in[0].equals(in[1]), "%s: x %s and residual %s must be alike", name(), in[0], in[1]);
    if (probability > 0) Dropout.checkRandom(this, in, 4, in[0].shape().rows());
    if (bias) Op.checkSpec(this, "bias", in[biasInput()], in[0].type().accumulator(), in[0].shape().last());
    Spec[] y = new LayerNorm(eps).outputs(in[0], in[2], in[3]);
    return kept ? new Spec[] {y[0], in[0], y[1], y[2]} : new Spec[] {y[0]};
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value x = bias ? r.emit1(new AddBias(), in[0], in[biasInput()]) : in[0];
    Value dropped = probability > 0 ? r.emit1(new Dropout(probability, site), x, in[4], in[5], in[6]) : x;
    Value h = r.emit1(new Add(false), dropped, in[1]);
    Value[] y = r.emit(new LayerNorm(eps), h, in[2], in[3]);
    return kept ? new Value[] {y[0], h, y[1], y[2]} : new Value[] {y[0]};
  }

  @Override public DropoutAddLayerNorm unkept() {
    return new DropoutAddLayerNorm(probability, site, eps, false, bias);
  }

  @Override public void backward(Gradients g) {
    if (!kept) throw new UnsupportedOperationException(name() + " has no gradient where it keeps nothing for one");
    Value[] in = {g.gradOf(0), g.out(1), g.in(2), g.out(2), g.out(3)};
    if (probability > 0) {
      in = Arrays.copyOf(in, 8);
      for (int i = 0; i < 3; i++) in[5 + i] = g.in(4 + i);
    }
    Value[] d = g.emit(new Grad(probability, site, bias), in);
    for (int i = 0; i < 4; i++) if (g.wants(i)) g.give(i, d[i]);
    if (bias && g.wants(biasInput())) g.give(biasInput(), d[4]);
  }

  /**
   * dresidual = the layer norm's dh; dx = dropout(dh); dbias = sum over rows of dx. Inputs dy, h, w, mean, rstd, then
   * random, sequence, position where something is dropped; outputs dx, dresidual (R,C), dw, db (C) and, with a bias,
   * dbias (C). With probability 0, dx equals dresidual.
   */
  public record Grad(double probability, int site, boolean bias) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, probability > 0 ? 8 : 5);
      if (probability > 0) Dropout.checkRandom(this, in, 5, in[0].shape().rows());
      Spec[] d = new LayerNorm.Grad().outputs(Arrays.copyOf(in, 5));
      return bias ? new Spec[] {d[0], d[0], d[1], d[2], d[2]} : new Spec[] {d[0], d[0], d[1], d[2]};
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value[] d = r.emit(new LayerNorm.Grad(), Arrays.copyOf(in, 5));
      Value dx = probability > 0 ? r.emit1(new Dropout(probability, site), d[0], in[5], in[6], in[7]) : d[0];
      return bias ? new Value[] {dx, d[0], d[1], d[2], r.emit1(new SumRows(), dx)}
          : new Value[] {dx, d[0], d[1], d[2]};
    }
  }
}
