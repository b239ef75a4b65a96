package org.dyr.ranker.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.dyr.io.AtomicFiles;
import org.dyr.nn.BertConfig;
import org.dyr.ranker.text.PairLengths;

/** Reads and writes Hugging Face's {@code config.json} of a BERT with one label. */
public final class ModelConfig {
  /** The file's name in a model directory. */
  public static final String FILE = "config.json";

  /** What is this project's. */
  private static final String OWN = "dyr";

  private static final ObjectMapper JSON = new ObjectMapper();

  private ModelConfig() {}

  /**
   * Reads the fields that matter; those that may be absent have Hugging Face's defaults.
   *
   * @throws ModelException when the file is missing, is no JSON, is not a BERT with one label, or a
   *     field is missing, of another type, or out of range
   */
  public static BertConfig read(Path file) {
    Fields f = Fields.of(file);
    JsonNode json = f.json;
    f.only("model_type", "bert");
    int labels = f.integer("num_labels", json.has("id2label") ? json.get("id2label").size() : 1);
    if (labels != 1) {
      throw new ModelException(file, "the model has %d labels; a ranker has 1 (num_labels)".formatted(labels));
    }
    double dropout = f.number("hidden_dropout_prob", 0.1);
    try {
      return new BertConfig(f.integer("vocab_size"), f.integer("hidden_size"), f.integer("num_hidden_layers"),
          f.integer("num_attention_heads"), f.integer("intermediate_size"),
          BertConfig.activationOf(f.text("hidden_act", "gelu")), f.integer("max_position_embeddings", 512),
          f.integer("type_vocab_size", 2), f.number("layer_norm_eps", 1e-12), dropout,
          f.number("attention_probs_dropout_prob", 0.1), f.number("classifier_dropout", dropout),
          f.number("initializer_range", 0.02),
          BertConfig.relativePositionsOf(f.text("position_embedding_type", "absolute")));
    } catch (IllegalArgumentException e) {
      throw new ModelException(file, e.getMessage(), e);
    }
  }

  /**
   * How much of a text the model reads: {@code max_length} and {@code max_query_length} in the object {@code dyr},
   * which others pass over; where there is none, {@link PairLengths#of}.
   *
   * @param positions that the model has
   * @throws ModelException as {@link #read}, or when a pair has no room
   */
  static PairLengths readLengths(Path file, int positions) {
    Fields all = Fields.of(file);
    if (!all.json.has(OWN)) return PairLengths.of(positions);
    Fields own = new Fields(file, all.json.get(OWN));
    PairLengths is = new PairLengths(own.integer("max_length"), own.integer("max_query_length"));
    if (is.pair() > positions) {
      throw new ModelException(file, "%s.max_length %d is more than the model's %d positions (max_position_embeddings)"
          .formatted(OWN, is.pair(), positions));
    }
    return is;
  }

  /**
   * Writes the config, in one step, so that Hugging Face's BertForSequenceClassification reads it. It has no relative
   * positions like this project's: it would read such a model, and score without positions.
   */
  static void write(Path file, BertConfig c, PairLengths lengths) throws IOException {
    ObjectNode json = JSON.createObjectNode();
    json.put("model_type", "bert");
    json.putArray("architectures").add("BertForSequenceClassification");
    json.put("vocab_size", c.vocabSize()).put("hidden_size", c.hiddenSize()).put("num_hidden_layers", c.layers())
        .put("num_attention_heads", c.heads()).put("intermediate_size", c.intermediateSize())
        .put("hidden_act", c.activationName()).put("max_position_embeddings", c.maxPositions())
        .put("type_vocab_size", c.typeVocabSize()).put("layer_norm_eps", c.layerNormEps())
        .put("hidden_dropout_prob", c.hiddenDropout()).put("attention_probs_dropout_prob", c.attentionDropout())
        .put("classifier_dropout", c.classifierDropout()).put("initializer_range", c.initializerRange())
        .put("position_embedding_type", c.positionEmbeddingType()).put("pad_token_id", 0).put("torch_dtype", "float32");
    json.putObject(OWN).put("max_length", lengths.pair()).put("max_query_length", lengths.query());
    json.putObject("id2label").put("0", "LABEL_0");
    json.putObject("label2id").put("LABEL_0", 0);
    String text = JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n";
    AtomicFiles.write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Typed access to the fields of one file. */
  private record Fields(Path file, JsonNode json) {

    static Fields of(Path file) {
      try {
        return new Fields(file, JSON.readTree(Files.readString(file)));
      } catch (JsonProcessingException e) {
        throw new ModelException(file, "no valid JSON: " + e.getOriginalMessage(), e);
      } catch (NoSuchFileException e) {
        throw new ModelException(file, "no such file", e);
      } catch (IOException e) {
        throw new ModelException(file, "cannot be read: " + e, e);
      }
    }

    void only(String name, String value) {
      String is = text(name, value);
      if (!is.equals(value)) {
        throw new ModelException(file, "%s is '%s'; only '%s' is supported".formatted(name, is, value));
      }
    }

    String text(String name, String otherwise) {
      JsonNode n = json.get(name);
      if (n == null || n.isNull()) return otherwise;
      if (!n.isTextual()) throw new ModelException(file, "%s must be a string, not %s".formatted(name, n));
      return n.asText();
    }

    int integer(String name) {
      if (!json.has(name)) throw new ModelException(file, name + " is missing");
      return integer(name, 0);
    }

    int integer(String name, int otherwise) {
      JsonNode n = json.get(name);
      if (n == null || n.isNull()) return otherwise;
      if (!n.isIntegralNumber() || !n.canConvertToInt()) {
        throw new ModelException(file, "%s must be a whole number, not %s".formatted(name, n));
      }
      return n.asInt();
    }

    double number(String name, double otherwise) {
      JsonNode n = json.get(name);
      if (n == null || n.isNull()) return otherwise;
      if (!n.isNumber()) throw new ModelException(file, "%s must be a number, not %s".formatted(name, n));
      return n.asDouble();
    }
  }
}
