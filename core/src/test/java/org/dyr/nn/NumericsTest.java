package org.dyr.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.dyr.op.Activation;
import org.junit.jupiter.api.Test;

class NumericsTest {
  @Test void setsEpsilonAndGeluAndNothingElse() {
    BertConfig base = BertConfig.base();
    BertConfig mindspore = Numerics.MINDSPORE.of(base);
    assertEquals(1e-7, mindspore.layerNormEps());
    assertEquals("gelu_new", mindspore.activationName());
    assertEquals(base, Numerics.HUGGINGFACE.of(mindspore));
  }

  @Test void relativePositionsStay() {
    BertConfig relative = BertConfig.base().withRelativePositions(true);
    assertEquals(relative, Numerics.HUGGINGFACE.of(Numerics.MINDSPORE.of(relative)));
  }

  @Test void anotherActivationStays() {
    BertConfig b = BertConfig.base();
    BertConfig relu = new BertConfig(b.vocabSize(), b.hiddenSize(), b.layers(), b.heads(), b.intermediateSize(),
        Activation.Kind.RELU, b.maxPositions(), b.typeVocabSize(), b.layerNormEps(), 0, 0, 0, b.initializerRange());
    assertEquals(Activation.Kind.RELU, Numerics.MINDSPORE.of(relu).activation());
  }
}
