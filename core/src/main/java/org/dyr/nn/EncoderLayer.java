package org.dyr.nn;

import java.util.List;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.Value;

/**
 * a = norm(x + dropout(W_o attention(x))); y = norm(a + dropout(W_2 f(W_1 a))). x, a, y (T,C); W_1 (F,C), W_2 (C,F).
 * Devlin et al. 2018, after Vaswani et al. 2017.
 */
final class EncoderLayer {
  private final double dropout;
  private final Activation.Kind activation;
  private final SelfAttention attention;
  private final Linear attentionOutput;
  private final Norm attentionNorm;
  private final Linear up;
  private final Linear down;
  private final Norm outputNorm;

  EncoderLayer(int index, BertConfig c, List<Parameter> parameters) {
    String path = "bert.encoder.layer." + index + ".";
    dropout = c.hiddenDropout();
    activation = c.activation();
    attention = new SelfAttention(path + "attention.self.", c, parameters);
    attentionOutput = new Linear(path + "attention.output.", "dense", c.hiddenSize(), c.hiddenSize(), parameters);
    attentionNorm = new Norm(path + "attention.output.", c.hiddenSize(), c.layerNormEps(), parameters);
    up = new Linear(path + "intermediate.", "dense", c.hiddenSize(), c.intermediateSize(), parameters);
    down = new Linear(path + "output.", "dense", c.intermediateSize(), c.hiddenSize(), parameters);
    outputNorm = new Norm(path + "output.", c.hiddenSize(), c.layerNormEps(), parameters);
  }

  /** All tokens: x, y (T,C). */
  Value apply(Pass pass, Value x) {
    return apply(pass, x, Rows.TOKENS);
  }

  /**
   * The same for the first token of each sequence alone, y (S,C): all others are keys and values, nothing else of them
   * is computed. Numbers and dropout masks are those of {@link #apply(Pass, Value)} at these rows.
   */
  Value applyToFirst(Pass pass, Value x) {
    return apply(pass, x, Rows.FIRST);
  }

  private Value apply(Pass pass, Value x, Rows rows) {
    Value a;
    try (var s = pass.scope("attention")) {
      Value asking = rows.of(pass, x);
      a = join(pass, attentionOutput.apply(pass, attention.apply(pass, rows, asking, x)), asking, attentionNorm, rows);
    }
    try (var s = pass.scope("feed_forward")) {
      Value inner = pass.emit(new Activation(activation), up.apply(pass, a));
      return join(pass, down.apply(pass, inner), a, outputNorm, rows);
    }
  }

  /** norm(residual + dropout(x)). */
  private Value join(Pass pass, Value x, Value residual, Norm norm, Rows rows) {
    return norm.apply(pass, pass.emit(new Add(false), rows.drop(pass, dropout, x), residual));
  }
}
