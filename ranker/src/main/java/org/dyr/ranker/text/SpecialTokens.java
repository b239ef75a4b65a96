package org.dyr.ranker.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The ids that the model's input needs by name, and the number of rows that the word embedding needs. */
record SpecialTokens(int cls, int sep, int pad, int unk, int vocabularySize) {

  static final String CLS = "[CLS]";
  static final String SEP = "[SEP]";
  static final String PAD = "[PAD]";
  static final String UNK = "[UNK]";

  /** Reads them from a parsed {@code tokenizer.json} and checks the vocabulary on the way. */
  static SpecialTokens of(JsonNode json, Path file) {
    JsonNode model = json.path("model");
    JsonNode type = model.path("type");
    if (!type.isMissingNode() && !type.asText().equals("WordPiece")) {
      throw new TokenizerException(file + ": model type is " + type + "; only WordPiece (BERT) is supported");
    }
    if (!model.path("vocab").isObject() || model.path("vocab").isEmpty()) {
      throw new TokenizerException(file + ": \"model\".\"vocab\" is missing or empty");
    }
    Map<String, Integer> ids = new HashMap<>();
    int largest = -1;
    for (Map.Entry<String, JsonNode> token : model.path("vocab").properties()) {
      int id = id(token.getValue(), token.getKey(), file);
      ids.put(token.getKey(), id);
      largest = Math.max(largest, id);
    }
    for (JsonNode token : json.path("added_tokens")) {
      String content = token.path("content").asText();
      int id = id(token.path("id"), content, file);
      ids.put(content, id);
      largest = Math.max(largest, id);
    }
    return new SpecialTokens(require(ids, CLS, file), require(ids, SEP, file), require(ids, PAD, file),
        require(ids, model.path("unk_token").asText(UNK), file), largest + 1);
  }

  private static int id(JsonNode value, String token, Path file) {
    if (!value.isInt() || value.intValue() < 0) {
      throw new TokenizerException(file + ": the id of token \"" + token + "\" must be an integer of at least 0, not "
          + (value.isMissingNode() ? "absent" : value));
    }
    return value.intValue();
  }

  private static int require(Map<String, Integer> ids, String token, Path file) {
    Integer id = ids.get(token);
    if (id == null) {
      throw new TokenizerException(file + ": the vocabulary has no " + token
          + "; a BERT vocabulary has [PAD], [UNK], [CLS] and [SEP]");
    }
    return id;
  }
}
