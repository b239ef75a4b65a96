package org.dyr.ranker.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A small BERT vocabulary that tests write to disk. */
final class Vocabularies {

  static final List<String> TOKENS = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "un",
      "##aff", "##able", "cafe", "!", ",", "-", "\u4e2d", "\u6587", "Hello", "a", "##a", "caf\u00e9");

  private Vocabularies() {
  }

  static int id(String token) {
    return TOKENS.indexOf(token);
  }

  static int[] ids(String... tokens) {
    int[] ids = new int[tokens.length];
    for (int i = 0; i < ids.length; i++) ids[i] = id(tokens[i]);
    return ids;
  }

  static Path write(Path directory) throws IOException {
    return Files.write(directory.resolve("vocab.txt"), TOKENS);
  }

  static Path writeWithout(Path directory, String token) throws IOException {
    List<String> tokens = new ArrayList<>(TOKENS);
    tokens.remove(token);
    return Files.write(directory.resolve("vocab.txt"), tokens);
  }

  /** A tokenizer.json over the first tokens, which asks for truncation and padding that must not happen. */
  static Path writeJson(Path directory) throws IOException {
    StringBuilder vocabulary = new StringBuilder();
    for (int i = 0; i < 7; i++) {
      vocabulary.append(i == 0 ? "" : ",").append('"').append(TOKENS.get(i)).append("\":").append(i);
    }
    return Files.writeString(directory.resolve("tokenizer.json"), """
        {"version": "1.0",
         "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
         "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[PAD]"},
         "added_tokens": [{"id": 11, "content": "[EXTRA]", "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true}],
         "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                        "strip_accents": null, "lowercase": true},
         "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
         "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": {%s}}}
        """.formatted(vocabulary));
  }
}
