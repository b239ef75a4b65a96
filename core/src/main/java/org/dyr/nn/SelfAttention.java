package org.dyr.nn;

import java.util.List;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Value;

/** Each packed sequence attends to itself: o = dropout(softmax(q k^T / sqrt(D))) v. x, o (T,C). */
final class SelfAttention {
  private final int heads;
  private final int longest;
  private final double dropout;
  private final Linear query;
  private final Linear key;
  private final Linear value;

  SelfAttention(String path, BertConfig c, List<Parameter> parameters) {
    heads = c.heads();
    longest = c.maxPositions();
    dropout = c.attentionDropout();
    query = new Linear(path, "query", c.hiddenSize(), c.hiddenSize(), parameters);
    key = new Linear(path, "key", c.hiddenSize(), c.hiddenSize(), parameters);
    value = new Linear(path, "value", c.hiddenSize(), c.hiddenSize(), parameters);
  }

  Value apply(Pass pass, Value x) {
    Value q = query.apply(pass, x), k = key.apply(pass, x), v = value.apply(pass, x), offsets = pass.offsets();
    try (var s = pass.scope("core")) {
      Value p = pass.emit(new AttentionSoftmax(), pass.emit(new AttentionScores(heads, longest), q, k, offsets), offsets);
      if (pass.training() && dropout > 0) {
        p = pass.emit(new AttentionDropout(dropout, pass.graph().nextSite()), p, pass.random(), offsets,
            pass.perSequence("sequence"));
      }
      return pass.emit(new AttentionContext(heads), p, v, offsets);
    }
  }
}
