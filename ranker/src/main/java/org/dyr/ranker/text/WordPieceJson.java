package org.dyr.ranker.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;

/**
 * The {@code tokenizer.json} that says the same as a BERT {@code vocab.txt}: clean the text, split CJK characters and
 * punctuation, lower-case and strip accents when asked, then greedy longest-match WordPiece with {@code ##} for
 * continuing pieces; a word that has no cover by pieces, or over 100 characters, becomes {@code [UNK]}. As in Hugging
 * Face's conversion, the special tokens are recognised where a text spells them out.
 */
final class WordPieceJson {

  private static final int MAX_CHARACTERS_PER_WORD = 100;

  private WordPieceJson() {
  }

  /**
   * @param vocabulary tokens, the place in the list is the id
   * @param config the parsed {@code tokenizer_config.json}, or an empty object; {@code do_lower_case} (default true),
   *     {@code strip_accents} (default: as do_lower_case) and {@code tokenize_chinese_chars} (default true) are read
   */
  static ObjectNode of(List<String> vocabulary, JsonNode config, Path configFile) {
    ObjectNode root = new ObjectMapper().createObjectNode().put("version", "1.0");
    root.putNull("truncation").putNull("padding");
    var added = root.putArray("added_tokens");
    for (String token : List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")) {
      int id = vocabulary.indexOf(token);
      if (id < 0) continue;
      added.addObject().put("id", id).put("content", token).put("single_word", false).put("lstrip", false)
          .put("rstrip", false).put("normalized", false).put("special", true);
    }
    boolean lowerCase = flag(config, "do_lower_case", true, configFile);
    root.putObject("normalizer").put("type", "BertNormalizer").put("clean_text", true)
        .put("handle_chinese_chars", flag(config, "tokenize_chinese_chars", true, configFile))
        .put("strip_accents", flag(config, "strip_accents", lowerCase, configFile))
        .put("lowercase", lowerCase);
    root.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
    root.putNull("post_processor");
    root.putObject("decoder").put("type", "WordPiece").put("prefix", "##").put("cleanup", true);
    ObjectNode model = root.putObject("model").put("type", "WordPiece").put("unk_token", SpecialTokens.UNK)
        .put("continuing_subword_prefix", "##").put("max_input_chars_per_word", MAX_CHARACTERS_PER_WORD);
    ObjectNode ids = model.putObject("vocab");
    for (int id = 0; id < vocabulary.size(); id++) ids.put(vocabulary.get(id), id);
    return root;
  }

  private static boolean flag(JsonNode config, String key, boolean absent, Path configFile) {
    JsonNode value = config.path(key);
    if (value.isMissingNode() || value.isNull()) return absent;
    if (value.isBoolean()) return value.booleanValue();
    throw new TokenizerException(configFile + ": \"" + key + "\" must be true, false or null, not " + value);
  }
}
