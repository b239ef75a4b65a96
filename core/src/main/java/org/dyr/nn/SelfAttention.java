package org.dyr.nn;

import java.util.List;
import java.util.Optional;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Value;

/**
 * Each packed sequence attends to itself: o = dropout(softmax(q k^T / sqrt(D))) v. x, o (T,C). With relative positions
 * an embedding of the clipped distance, one table (2m+1,D) for all heads, is added to keys and values.
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

  Value apply(Pass pass, Value x) {
    Value q = query.apply(pass, x), k = key.apply(pass, x), v = value.apply(pass, x), offsets = pass.offsets();
    try (var s = pass.scope("core")) {
      Value a = distances.map(p -> pass.weight(p, q)).orElse(null);
      Value scores = a == null ? pass.emit(new AttentionScores(heads, longest), q, k, offsets)
          : pass.emit(new RelativeScores(heads, longest), q, k, a, offsets);
      Value p = pass.emit(new AttentionSoftmax(), scores, offsets);
      if (pass.training() && dropout > 0) {
        p = pass.emit(new AttentionDropout(dropout, pass.graph().nextSite()), p, pass.random(), offsets,
            pass.perSequence("sequence"));
      }
      return a == null ? pass.emit(new AttentionContext(heads), p, v, offsets)
          : pass.emit(new RelativeContext(heads), p, v, a, offsets);
    }
  }
}
