package org.dyr.nn;

import org.dyr.op.Activation;

/**
 * Whose numbers a BERT of the same weights gives. MindSpore's masked attention adds -10000 where Hugging Face's adds
 * the lowest float; packed sequences have nothing to mask, so the two do not differ in that here.
 */
public enum Numerics {
  /** Layer norm's epsilon 1e-12, gelu by the error function. */
  HUGGINGFACE(1e-12, Activation.Kind.GELU),
  /** Layer norm's epsilon 1e-7, gelu by tanh. */
  MINDSPORE(1e-7, Activation.Kind.GELU_TANH);

  private final double layerNormEps;
  private final Activation.Kind gelu;

  Numerics(double layerNormEps, Activation.Kind gelu) {
    this.layerNormEps = layerNormEps;
    this.gelu = gelu;
  }

  /** The same model with these numerics; an activation other than gelu stays. */
  public BertConfig of(BertConfig c) {
    Activation.Kind activation = c.activation() == Activation.Kind.RELU ? c.activation() : gelu;
    return new BertConfig(c.vocabSize(), c.hiddenSize(), c.layers(), c.heads(), c.intermediateSize(), activation,
        c.maxPositions(), c.typeVocabSize(), layerNormEps, c.hiddenDropout(), c.attentionDropout(),
        c.classifierDropout(), c.initializerRange(), c.relativePositions());
  }
}
