package org.dyr.ranker.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.dyr.ranker.model.ModelSource;
import org.yaml.snakeyaml.nodes.Node;

/**
 * What a configuration file says of an evaluation on ready-made pairs: one of this project by its keys {@code eval_*},
 * {@code vocab}, {@code attention_heads}, {@code relevant_from}; one of the original by its own, {@code
 * load_finetune_checkpoint_path} among them.
 *
 * @param model the model that the original's file names: {@code load_finetune_checkpoint_path} or, where that is empty
 *     and the file trains too, what this project's training leaves in {@code save_finetune_checkpoint_path}
 */
public record EvalConfig(EvalFiles files, Optional<Path> model, Optional<Path> vocab, int heads, int relevantFrom,
    Map<String, ConfigFile.Entry> original) {

  /**
   * Reads a file. What only a training needs may be missing.
   *
   * @throws ConfigException when the file is not YAML, or one of the keys that are read has a wrong value
   * @throws IOException when the file cannot be read
   */
  public static EvalConfig load(Path file) throws IOException {
    List<Node> documents = ConfigFile.documents(file);
    return OriginalConfig.recognises(documents) ? original(file, documents) : ours(ConfigFile.entries(file, documents));
  }

  private static EvalConfig ours(Map<String, ConfigFile.Entry> entries) {
    Reader keys = new Reader(entries);
    entries.forEach((key, value) -> ConfigLoader.known(key, value.place()));
    return new EvalConfig(new EvalFiles(keys.path(ConfigKeys.EVAL_RECORDS, "eval_records"),
        keys.path(ConfigKeys.EVAL_IDS, "eval_ids"), keys.path(ConfigKeys.EVAL_QRELS, "eval_qrels"),
        keys.path(ConfigKeys.EVAL_SCORES, "eval_scores")), Optional.empty(), keys.path(ConfigKeys.VOCAB, "vocab"),
        keys.get(ConfigKeys.ATTENTION_HEADS, "attention_heads"), keys.get(ConfigKeys.RELEVANT_FROM, "relevant_from"),
        Map.of());
  }

  private static EvalConfig original(Path file, List<Node> documents) {
    Map<String, ConfigFile.Entry> entries = OriginalConfig.entries(file, documents);
    Reader keys = new Reader(entries);
    Optional<Path> model = keys.path(ConfigKeys.PRETRAINED, "load_finetune_checkpoint_path");
    boolean trains = entries.containsKey("do_train")
        && entries.get("do_train").text().toLowerCase(Locale.ROOT).equals("true");
    if (model.isEmpty() && trains) {
      model = keys.path(ConfigKeys.PRETRAINED, "save_finetune_checkpoint_path").map(out -> out.resolve("model"));
    }
    return new EvalConfig(new EvalFiles(keys.path(ConfigKeys.EVAL_RECORDS, "eval_data_file_path"),
        keys.path(ConfigKeys.EVAL_IDS, "eval_ids_path"), keys.path(ConfigKeys.EVAL_QRELS, "eval_qrels_path"),
        keys.path(ConfigKeys.EVAL_SCORES, "save_score_path")), model, Optional.empty(),
        keys.get(ConfigKeys.ATTENTION_HEADS, OriginalModel.HEADS), ConfigKeys.RELEVANT_FROM.standard(), entries);
  }

  /** Holds the sizes that the original's file gives against those of the model, and notes what differs in numerics. */
  public void compare(ModelSource source, Consumer<String> notes) {
    if (!original.isEmpty()) OriginalModel.compare(original, source, false, notes);
  }

  /** The values of some keys, each under the name that it has in the file. */
  private record Reader(Map<String, ConfigFile.Entry> entries) {

    private <T> T get(ConfigKey<T> key, String name) {
      ConfigFile.Entry entry = entries.get(name);
      if (entry == null || entry.text() == null || entry.text().isEmpty()) return key.standard();
      return key.parse(entry.text(), entry.place());
    }

    private Optional<Path> path(ConfigKey<Path> key, String name) {
      return Optional.ofNullable(get(key, name));
    }
  }
}
