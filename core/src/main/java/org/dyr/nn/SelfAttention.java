package org.dyr.nn;

import java.util.List;
import java.util.Optional;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Queries;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Value;

/**
 * Each packed sequence attends to itself: o = dropout(softmax(q k^T / sqrt(D))) v. With relative positions an embedding
 * of the clipped distance, one table (2m+1,D) for all heads, is added to keys and values.
 */
final class SelfAttention {
  private final int heads;
  private final int longest;
  private final double dropout;
  private final Linear query;
  private final Linear key;
  private final Linear value;
  private final Optional<Parameter> distances;

  SelfAttention(String path, BertConfig c, List<Parameter> parameters) {
    heads = c.heads();
    longest = c.maxPositions();
    dropout = c.attentionDropout();
    query = new Linear(path, "query", c.hiddenSize(), c.hiddenSize(), parameters);
    key = new Linear(path, "key", c.hiddenSize(), c.hiddenSize(), parameters);
    value = new Linear(path, "value", c.hiddenSize(), c.hiddenSize(), parameters);
    distances = c.relativePositions() ? Optional.of(Parameter.matrix(path + "relative_positions.weight",
        2 * BertConfig.MOST_DISTANCE + 1, c.hiddenSize() / heads)) : Optional.empty();
    distances.ifPresent(parameters::add);
  }

  /**
   * What these rows attend to, o (Q,C). With relative positions all tokens ask, and the rows are picked afterwards.
   *
   * @param asking these rows of x (Q,C)
   * @param x keys and values (T,C)
   */
  Value apply(Pass pass, Rows rows, Value asking, Value x) {
    return distances.isPresent() ? rows.of(pass, relative(pass, distances.get(), x))
        : absolute(pass, rows.queries(), asking, x);
  }

  private Value absolute(Pass pass, Queries queries, Value asking, Value x) {
    Value q = query.apply(pass, asking), k = key.apply(pass, x), v = value.apply(pass, x), offsets = pass.offsets();
    try (var s = pass.scope("core")) {
      Value p = shares(pass, queries, pass.emit(new AttentionScores(heads, longest, queries), q, k, offsets));
      return pass.emit(new AttentionContext(heads, queries), p, v, offsets);
    }
  }

  private Value relative(Pass pass, Parameter table, Value x) {
    Value q = query.apply(pass, x), k = key.apply(pass, x), v = value.apply(pass, x), offsets = pass.offsets();
    try (var s = pass.scope("core")) {
      Value a = pass.weight(table, q);
      Value p = shares(pass, Queries.ALL, pass.emit(new RelativeScores(heads, longest), q, k, a, offsets));
      return pass.emit(new RelativeContext(heads), p, v, a, offsets);
    }
  }

  /** dropout(softmax(scores)). */
  private Value shares(Pass pass, Queries queries, Value scores) {
    Value p = pass.emit(new AttentionSoftmax(queries), scores, pass.offsets());
    if (!pass.training() || dropout == 0) return p;
    return pass.emit(new AttentionDropout(dropout, pass.graph().nextSite(), queries), p, pass.random(), pass.offsets(),
        pass.perSequence("sequence"));
  }
}
