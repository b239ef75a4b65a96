package org.dyr.ranker.model;

import org.dyr.device.Backend;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Weights;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.PairLengths;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.tensor.DType;

/**
 * A cross-encoder: BERT, its weights on a device, and its tokenizer. Owns the weights and the tokenizer.
 *
 * @param tokenizer null where no vocabulary came with the weights; such a model scores ready-made tokens
 * @param compute the type that the encoder computes in, see {@link org.dyr.nn.Pass}
 * @param lengths how much of a text it reads
 */
public record Model(Bert bert, Weights weights, Tokenizer tokenizer, Backend backend, DType compute,
    PairLengths lengths) implements AutoCloseable {

  /** A model that reads as much as it has positions for. */
  public Model(Bert bert, Weights weights, Tokenizer tokenizer, Backend backend, DType compute) {
    this(bert, weights, tokenizer, backend, compute, PairLengths.of(bert.config().maxPositions()));
  }

  /** The same, computing in its weights' compute type. */
  public Model(Bert bert, Weights weights, Tokenizer tokenizer, Backend backend) {
    this(bert, weights, tokenizer, backend, weights.compute());
  }

  /**
   * The same model, weights and all, computing in another type, as training does; only one of the two is to be closed.
   */
  public Model in(DType type) {
    return new Model(bert, weights, tokenizer, backend, type, lengths);
  }

  /**
   * The same model, weights and all, computing on another opening of its device; only one of the two is to be closed.
   */
  public Model on(Backend other) {
    return new Model(bert, weights, tokenizer, other, compute, lengths);
  }

  /** The same model, weights and all, reading as much of a text; only one of the two is to be closed. */
  public Model reading(PairLengths of) {
    return new Model(bert, weights, tokenizer, backend, compute, of);
  }

  /**
   * A model with fresh weights. Takes over the tokenizer, null where it is to read no texts.
   *
   * @throws ModelException when the tokenizer has ids that the model has no embedding for
   */
  public static Model create(BertConfig config, Tokenizer tokenizer, Backend backend, long seed) {
    try {
      if (tokenizer != null) checkVocabulary(config, tokenizer);
      Bert bert = new Bert(config);
      Weights weights = new Weights(backend, DType.F32, bert.parameters());
      weights.initialize(seed, config.initializerRange());
      return new Model(bert, weights, tokenizer, backend);
    } catch (RuntimeException | Error e) {
      if (tokenizer != null) tokenizer.close();
      throw e;
    }
  }

  /** Whether there is a tokenizer. */
  public boolean readsText() {
    return tokenizer != null;
  }

  /** @throws ModelException when there is none */
  @Override public Tokenizer tokenizer() {
    if (tokenizer != null) return tokenizer;
    throw new ModelException("the model has no vocabulary and reads no texts: a vocab.txt or tokenizer.json in its "
        + "directory, or --vocab (vocab in a configuration), gives it one");
  }

  /**
   * What lays out its pairs of texts.
   *
   * @throws ModelException when it reads no texts, or its lengths leave no room for a passage
   */
  public PairEncoder encoder() {
    try {
      return new PairEncoder(tokenizer(), lengths.pair(), lengths.query());
    } catch (IllegalArgumentException e) {
      throw new ModelException("the model reads no texts: %s (config.json, under dyr)".formatted(e.getMessage()));
    }
  }

  static void checkVocabulary(BertConfig config, Tokenizer tokenizer) {
    if (tokenizer.vocabularySize() > config.vocabSize()) {
      throw new ModelException(tokenizer.source(),
          "has %d entries, but the model embeds %d (vocab_size of config.json)".formatted(tokenizer.vocabularySize(),
              config.vocabSize()));
    }
  }

  @Override public void close() {
    weights.close();
    if (tokenizer != null) tokenizer.close();
  }
}
