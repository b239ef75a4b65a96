package org.dyr.tests.endtoend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.nn.BertConfig;
import org.dyr.op.Activation;
import org.dyr.ranker.train.ConfigLoader;
import org.dyr.ranker.train.TrainConfig;

/**
 * A data set of {@value #TOPICS} topics, small enough for plain loops: a query asks for a topic, the passage that has
 * the topic's word is relevant, the others of its pool are not. With vocabulary and model config, in one folder.
 */
public record TinyData(Path folder) {
  static final int TOPICS = 12;
  static final int VOCABULARY = 40;

  private static final int POOL = 6;
  private static final List<String> SPECIAL = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
  private static final List<String> FILLERS = List.of("the", "a", "in", "of", "river", "stone", "red", "old", "where",
      "is");

  /** The model of {@code config.json}: 2 layers of 16, 2 heads, 32 positions. */
  static BertConfig model(double dropout) {
    return new BertConfig(VOCABULARY, 16, 2, 2, 32, Activation.Kind.GELU, 32, 2, 1e-12, dropout, dropout, dropout, 0.2);
  }

  /** Writes the files. */
  static TinyData write(Path folder) throws IOException {
    List<String> vocabulary = new ArrayList<>(SPECIAL);
    vocabulary.addAll(FILLERS);
    for (int t = 0; t < TOPICS; t++) vocabulary.add(word(t));
    Files.write(folder.resolve("vocab.txt"), vocabulary);
    Files.writeString(folder.resolve("config.json"), """
        {"model_type": "bert", "vocab_size": %d, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 32, "hidden_act": "gelu", "max_position_embeddings": 32, "type_vocab_size": 2,
         "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.2}
        """.formatted(VOCABULARY));
    List<String> collection = new ArrayList<>();
    for (int t = 0; t < TOPICS; t++) collection.add("p%d\t%s".formatted(t, passage(t)));
    Files.write(folder.resolve("collection.tsv"), collection);
    split(folder, "train", 0, 8);
    split(folder, "dev", 8, 10);
    split(folder, "test", 10, TOPICS);
    return new TinyData(folder);
  }

  private static void split(Path folder, String name, int from, int to) throws IOException {
    List<String> queries = new ArrayList<>(), qrels = new ArrayList<>(), candidates = new ArrayList<>();
    for (int t = from; t < to; t++) {
      queries.add("q%d\t%s".formatted(t, query(t)));
      qrels.add("q%d\t0\tp%d\t1".formatted(t, t));
      for (int i = 0; i < POOL; i++) candidates.add("q%d\tp%d".formatted(t, (t + 5 * i) % TOPICS));
    }
    Files.write(folder.resolve("queries." + name + ".tsv"), queries);
    Files.write(folder.resolve("qrels." + name + ".tsv"), qrels);
    Files.write(folder.resolve("candidates." + name + ".tsv"), candidates);
  }

  private static String word(int topic) {
    return "topic" + (char) ('a' + topic);
  }

  static String query(int topic) {
    return "where is the " + word(topic);
  }

  static String passage(int topic) {
    String filler = String.join(" ", FILLERS.subList(topic % 4, topic % 4 + 2 + topic % 5));
    return filler + " " + word(topic) + (topic % 3 == 0 ? " of the river" : "");
  }

  static List<String> passages() {
    List<String> all = new ArrayList<>();
    for (int t = 0; t < TOPICS; t++) all.add(passage(t));
    return all;
  }

  /**
   * A run on this data into {@code out}: two groups of three a step, Lamb, dropout; settings are added or overridden.
   */
  public TrainConfig config(Path out, Map<String, String> settings) {
    Map<String, String> all = new HashMap<>(Map.ofEntries(Map.entry("data", folder.toString()),
        Map.entry("model_config", folder.resolve("config.json").toString()),
        Map.entry("vocab", folder.resolve("vocab.txt").toString()), Map.entry("out", out.toString()),
        Map.entry("max_steps", "8"), Map.entry("group_size", "3"), Map.entry("batch_groups", "2"),
        Map.entry("max_length", "24"), Map.entry("max_query_length", "8"), Map.entry("token_budget", "128"),
        Map.entry("optimizer.learning_rate", "1e-2"), Map.entry("checkpoint_every", "100"),
        Map.entry("eval_every", "100"), Map.entry("threads", "2")));
    all.putAll(settings);
    return ConfigLoader.of(all);
  }
}
