package org.dyr.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.dyr.graph.Recompute;
import org.dyr.op.Activation;
import org.dyr.op.Value;
import org.dyr.tensor.DType;

/**
 * BERT with one logit a sequence: embeddings, encoder layers, the pooler (dense and tanh over [CLS]), dropout, and a
 * dense layer to 1. Parameter names are those of Hugging Face's BertForSequenceClassification. Devlin et al. 2018.
 */
public final class Bert {

  /** Has of each encoder layer only the output kept for the backward. */
  public static final Recompute RECOMPUTE_LAYERS = new Recompute(Pattern.compile("encoder\\.\\d+(?=\\.)"));

  private final BertConfig config;
  private final List<Parameter> parameters = new ArrayList<>();
  private final Embeddings embeddings;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final Set<Parameter> ofLayers;
  private final Linear pooler;
  private final Linear classifier;

  public Bert(BertConfig config) {
    this.config = config;
    embeddings = new Embeddings(config, parameters);
    int before = parameters.size();
    for (int i = 0; i < config.layers(); i++) layers.add(new EncoderLayer(i, config, parameters));
    ofLayers = Set.copyOf(parameters.subList(before, parameters.size()));
    pooler = new Linear("bert.pooler.", "dense", config.hiddenSize(), config.hiddenSize(), parameters);
    classifier = new Linear("", "classifier", config.hiddenSize(), 1, parameters);
  }

  public BertConfig config() {
    return config;
  }

  /** In the order of the model, which is the order in memory. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  /** The type in which a recording that computes in {@code compute} reads a parameter. */
  DType readType(Parameter p, DType compute) {
    return ofLayers.contains(p) ? Pass.beside(compute, p) : compute.accumulator();
  }

  /** Records the model and gives the logits (S,1). */
  public Value apply(Pass pass) {
    return apply(pass, layers.size());
  }

  /**
   * Records the first {@code n} encoder layers with the pooler and the head, and gives the logits (S,1): a cheaper
   * model that leaves early.
   */
  public Value apply(Pass pass, int n) {
    if (n < 1 || n > layers.size()) {
      throw new IllegalArgumentException("%d of %d encoder layers cannot be taken".formatted(n, layers.size()));
    }
    Value x = embeddings.apply(pass);
    for (int i = 0; i < n; i++) {
      try (var s = pass.scope("encoder." + i)) {
        x = i < n - 1 ? layers.get(i).apply(pass, x) : layers.get(i).applyToFirst(pass, x); // the head reads no other row
      }
    }
    Value pooled;
    try (var s = pass.scope("pooler")) {
      pooled = pass.emit(new Activation(Activation.Kind.TANH), pooler.apply(pass, pass.fromCompute(x)));
    }
    return classifier.apply(pass, pass.dropSequences(config.classifierDropout(), pooled));
  }
}
