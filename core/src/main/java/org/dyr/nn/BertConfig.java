package org.dyr.nn;

import java.util.Locale;
import org.dyr.op.Activation;

/**
 * What a Hugging Face {@code config.json} says of a BERT.
 *
 * @param activation of the feed-forward layers
 * @param maxPositions the longest sequence; with absolute positions also the rows of their table
 * @param hiddenDropout after the embeddings and at the end of both halves of a layer
 * @param attentionDropout of the attention probabilities
 * @param classifierDropout before the last layer
 * @param initializerRange the standard deviation that matrices begin with
 * @param relativePositions whether attention embeds clipped distances in place of the embeddings' absolute positions
 */
public record BertConfig(int vocabSize, int hiddenSize, int layers, int heads, int intermediateSize,
    Activation.Kind activation, int maxPositions, int typeVocabSize, double layerNormEps, double hiddenDropout,
    double attentionDropout, double classifierDropout, double initializerRange, boolean relativePositions) {

  /** Relative positions tell distances of up to this many tokens apart, each way; those beyond are taken for it. */
  public static final int MOST_DISTANCE = 16;

  /** The longest sequence of relative positions: no table bounds it, but dropout counts so many keys. */
  public static final int MOST_RELATIVE_POSITIONS = 1 << 16;

  private static final int LEAST_TYPES = 2; // the query's tokens have one, the passage's the other

  private static final String ABSOLUTE = "absolute";
  private static final String RELATIVE = "relative_key_value_clipped";

  /** @throws IllegalArgumentException when a size is too small or does not divide, or a probability is none */
  public BertConfig {
    positive("vocab_size", vocabSize);
    positive("hidden_size", hiddenSize);
    positive("num_hidden_layers", layers);
    positive("num_attention_heads", heads);
    positive("intermediate_size", intermediateSize);
    positive("max_position_embeddings", maxPositions);
    atLeast(LEAST_TYPES, "type_vocab_size", typeVocabSize);
    if (relativePositions && maxPositions > MOST_RELATIVE_POSITIONS) {
      throw new IllegalArgumentException(
          "max_position_embeddings must be at most %d where positions are relative, not %d".formatted(
              MOST_RELATIVE_POSITIONS, maxPositions));
    }
    if (hiddenSize % heads != 0) {
      throw new IllegalArgumentException("hidden_size %d does not divide by num_attention_heads %d".formatted(hiddenSize, heads));
    }
    if (!(layerNormEps > 0)) throw new IllegalArgumentException("layer_norm_eps must be above 0, not " + layerNormEps);
    if (!(initializerRange > 0)) throw new IllegalArgumentException("initializer_range must be above 0, not " + initializerRange);
    probability("hidden_dropout_prob", hiddenDropout);
    probability("attention_probs_dropout_prob", attentionDropout);
    probability("classifier_dropout", classifierDropout);
  }

  /** With absolute positions. */
  public BertConfig(int vocabSize, int hiddenSize, int layers, int heads, int intermediateSize,
      Activation.Kind activation, int maxPositions, int typeVocabSize, double layerNormEps, double hiddenDropout,
      double attentionDropout, double classifierDropout, double initializerRange) {
    this(vocabSize, hiddenSize, layers, heads, intermediateSize, activation, maxPositions, typeVocabSize, layerNormEps,
        hiddenDropout, attentionDropout, classifierDropout, initializerRange, false);
  }

  private static void positive(String name, int x) {
    atLeast(1, name, x);
  }

  private static void atLeast(int least, String name, int x) {
    if (x < least) throw new IllegalArgumentException("%s must be at least %d, not %d".formatted(name, least, x));
  }

  private static void probability(String name, double p) {
    if (!(p >= 0 && p < 1)) throw new IllegalArgumentException("%s must be in [0, 1), not %s".formatted(name, p));
  }

  /** BERT-base as published: 12 layers of 768, 12 heads. */
  public static BertConfig base() {
    return new BertConfig(30522, 768, 12, 12, 3072, Activation.Kind.GELU, 512, 2, 1e-12, 0.1, 0.1, 0.1, 0.02);
  }

  /** The same with other sizes; the feed-forward layer is four times as wide as the model. */
  public BertConfig sized(int hidden, int layers, int heads) {
    return new BertConfig(vocabSize, hidden, layers, heads, 4 * hidden, activation, maxPositions, typeVocabSize, layerNormEps,
        hiddenDropout, attentionDropout, classifierDropout, initializerRange, relativePositions);
  }

  /** The same with one probability for every dropout. */
  public BertConfig withDropout(double p) {
    return new BertConfig(vocabSize, hiddenSize, layers, heads, intermediateSize, activation, maxPositions, typeVocabSize,
        layerNormEps, p, p, p, initializerRange, relativePositions);
  }

  /** The same with relative positions, or with absolute ones. */
  public BertConfig withRelativePositions(boolean relative) {
    return new BertConfig(vocabSize, hiddenSize, layers, heads, intermediateSize, activation, maxPositions,
        typeVocabSize, layerNormEps, hiddenDropout, attentionDropout, classifierDropout, initializerRange, relative);
  }

  /** The same for sequences of up to this many tokens. */
  public BertConfig withMaxPositions(int longest) {
    return new BertConfig(vocabSize, hiddenSize, layers, heads, intermediateSize, activation, longest, typeVocabSize,
        layerNormEps, hiddenDropout, attentionDropout, classifierDropout, initializerRange, relativePositions);
  }

  /**
   * The function that {@code hidden_act} names.
   *
   * @throws IllegalArgumentException when it is none of gelu, gelu_new, relu
   */
  public static Activation.Kind activationOf(String name) {
    return switch (name) {
      case "gelu" -> Activation.Kind.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.Kind.GELU_TANH;
      case "relu" -> Activation.Kind.RELU;
      default -> throw new IllegalArgumentException(
          "hidden_act '%s' is not known; gelu (erf), gelu_new (tanh) and relu are".formatted(name));
    };
  }

  /**
   * Whether {@code position_embedding_type} names relative positions.
   *
   * @throws IllegalArgumentException when it is neither absolute nor this project's relative_key_value_clipped
   */
  public static boolean relativePositionsOf(String type) {
    return switch (type) {
      case ABSOLUTE -> false;
      case RELATIVE -> true;
      case "relative_key", "relative_key_query" -> throw new IllegalArgumentException(
          ("position_embedding_type '%s' is not supported: its distances have a row for each up to the longest "
          + "sequence and leave the values alone; '%s' and '%s' are").formatted(type, ABSOLUTE, RELATIVE));
      default -> throw new IllegalArgumentException(
          "position_embedding_type '%s' is not known; '%s' and '%s' are".formatted(type, ABSOLUTE, RELATIVE));
    };
  }

  /** The {@code position_embedding_type} of this model. */
  public String positionEmbeddingType() {
    return relativePositions ? RELATIVE : ABSOLUTE;
  }

  /** The {@code hidden_act} that names the function. */
  public String activationName() {
    return activation == Activation.Kind.GELU_TANH ? "gelu_new" : activation.name().toLowerCase(Locale.ROOT);
  }
}
