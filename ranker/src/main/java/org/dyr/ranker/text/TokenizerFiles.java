package org.dyr.ranker.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A tokenizer as it lies on disk.
 *
 * @param source the file that defines the vocabulary, for messages
 * @param json the definition as a {@code tokenizer.json}, as it came or built from {@code vocab.txt}
 * @param tree the same, as a tree
 * @param files the files as they came, by the names that a model directory gives them
 */
record TokenizerFiles(Path source, String json, JsonNode tree, Map<String, byte[]> files) {

  private static final String JSON = "tokenizer.json";
  private static final String VOCABULARY = "vocab.txt";
  private static final String CONFIG = "tokenizer_config.json";

  private static final JsonMapper MAPPER = JsonMapper.builder()
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
      .build();

  /** Reads a {@code tokenizer.json}, a vocabulary with one token a line, or a directory with either. */
  static TokenizerFiles read(Path path) {
    Path main = path;
    if (Files.isDirectory(path)) {
      main = path.resolve(JSON);
      if (!Files.exists(main)) main = path.resolve(VOCABULARY);
      if (!Files.exists(main)) {
        throw new TokenizerException(path + ": the directory has neither " + JSON + " nor " + VOCABULARY);
      }
    } else if (!Files.exists(path)) {
      throw new TokenizerException(path + ": no such file or directory; expected a " + VOCABULARY + ", a " + JSON
          + " or a model directory with one of them");
    }
    return main.getFileName().toString().endsWith(".json") ? fromJson(main) : fromVocabulary(main);
  }

  private static TokenizerFiles fromJson(Path file) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put(JSON, bytes(file));
    for (String companion : List.of(VOCABULARY, CONFIG)) {
      Path other = file.resolveSibling(companion);
      if (Files.exists(other)) files.put(companion, bytes(other));
    }
    String json = utf8(files.get(JSON), file);
    return new TokenizerFiles(file, json, parse(json, file), files);
  }

  private static TokenizerFiles fromVocabulary(Path file) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put(VOCABULARY, bytes(file));
    Path configFile = file.resolveSibling(CONFIG);
    JsonNode config = MAPPER.createObjectNode();
    if (Files.exists(configFile)) {
      files.put(CONFIG, bytes(configFile));
      config = parse(utf8(files.get(CONFIG), configFile), configFile);
    }
    List<String> vocabulary = lines(utf8(files.get(VOCABULARY), file), file);
    JsonNode tree = WordPieceJson.of(vocabulary, config, configFile);
    return new TokenizerFiles(file, tree.toString(), tree, files);
  }

  private static List<String> lines(String text, Path file) {
    List<String> tokens = new ArrayList<>();
    Map<String, Integer> lineOf = new HashMap<>();
    int start = 0;
    while (start < text.length()) {
      int end = text.indexOf('\n', start);
      if (end < 0) end = text.length();
      String token = text.substring(start, end).stripTrailing();
      int line = tokens.size() + 1;
      if (token.isEmpty()) throw new TokenizerException(file + ":" + line + ": empty line; expected one token a line");
      Integer earlier = lineOf.putIfAbsent(token, line);
      if (earlier != null) {
        throw new TokenizerException(file + ":" + line + ": token \"" + token + "\" is already on line " + earlier);
      }
      tokens.add(token);
      start = end + 1;
    }
    if (tokens.isEmpty()) throw new TokenizerException(file + ": the vocabulary is empty");
    return tokens;
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new TokenizerException(file + ": cannot be read: " + e, e);
    }
  }

  private static String utf8(byte[] bytes, Path file) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw new TokenizerException(file + ": is not valid UTF-8", e);
    }
  }

  private static JsonNode parse(String json, Path file) {
    try {
      JsonNode tree = MAPPER.readTree(json);
      if (!tree.isObject()) throw new TokenizerException(file + ": must hold a JSON object");
      return tree;
    } catch (JsonProcessingException e) {
      var at = e.getLocation();
      String place = at == null ? "" : ":" + at.getLineNr() + ":" + at.getColumnNr();
      throw new TokenizerException(file + place + ": is not valid JSON: " + e.getOriginalMessage(), e);
    }
  }
}
