package org.dyr.nn;

import java.util.List;
import org.dyr.op.Add;
import org.dyr.op.Gather;
import org.dyr.op.Value;

/** Word, token type and position embeddings added up, normalized, dropped: (T,C), in the type that the encoder computes in. */
final class Embeddings {
  private static final String PATH = "bert.embeddings.";

  private final double dropout;
  private final Parameter words;
  private final Parameter positions;
  private final Parameter types;
  private final Norm norm;

  Embeddings(BertConfig c, List<Parameter> parameters) {
    dropout = c.hiddenDropout();
    words = Parameter.matrix(PATH + "word_embeddings.weight", c.vocabSize(), c.hiddenSize());
    positions = Parameter.matrix(PATH + "position_embeddings.weight", c.maxPositions(), c.hiddenSize());
    types = Parameter.matrix(PATH + "token_type_embeddings.weight", c.typeVocabSize(), c.hiddenSize());
    parameters.addAll(List.of(words, positions, types));
    norm = new Norm(PATH, c.hiddenSize(), c.layerNormEps(), parameters);
  }

  Value apply(Pass pass) {
    try (var s = pass.scope("embeddings")) {
      Value word = pass.emit(new Gather(), pass.weight(words), pass.perToken("tokens"));
      Value type = pass.emit(new Gather(), pass.weight(types), pass.perToken("types"));
      Value position = pass.emit(new Gather(), pass.weight(positions), pass.perToken("positions"));
      Value sum = pass.emit(new Add(false), pass.emit(new Add(false), word, type), position);
      return pass.toCompute(pass.dropTokens(dropout, norm.apply(pass, sum)));
    }
  }
}
