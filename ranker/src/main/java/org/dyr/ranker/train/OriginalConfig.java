package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * The original's {@code dyr_config.yaml} in terms of this project: up to three YAML documents in one file (values,
 * descriptions, choices), of which the values are translated by the table of {@link OriginalKeys}.
 */
final class OriginalConfig {

  /**
   * What became of a file.
   *
   * @param entries keys of this project, each with the place of the key that it comes from
   * @param notes what each key became, or why it becomes nothing, in the order of the file
   * @param original the file's own keys, dotted; a value that is not set is the empty text
   */
  record Translation(Map<String, ConfigFile.Entry> entries, List<String> notes,
      Map<String, ConfigFile.Entry> original) {}

  private static final Set<String> MARKS = Set.of("dyr_version", "dyr_net_cfg", "optimizer_cfg", "train_data_file_path",
      "load_pretrain_checkpoint_path", "save_finetune_checkpoint_path");
  private static final int MOST_DOCUMENTS = 3;

  private final Path file;
  private final Set<String> overridden;
  private final Map<String, ConfigFile.Entry> original = new LinkedHashMap<>();
  private final Map<String, ConfigFile.Entry> entries = new LinkedHashMap<>();
  private final List<String> notes = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();

  private OriginalConfig(Path file, Set<String> overridden) {
    this.file = file;
    this.overridden = overridden;
  }

  /** Whether the documents are such a file: the first has a key that only the original has. */
  static boolean recognises(List<Node> documents) {
    return !documents.isEmpty() && documents.getFirst() instanceof MappingNode map && map.getValue().stream()
        .anyMatch(t -> t.getKeyNode() instanceof ScalarNode key && MARKS.contains(key.getValue()));
  }

  /**
   * Translates the values.
   *
   * @param overridden keys of this project that --set gives a value: they settle what the file asks for in vain
   * @throws ConfigException naming file, line and key, and all of them when there are several: an unknown or repeated
   *     key, or a value that this build has no answer to
   */
  static Translation translate(Path file, List<Node> documents, Map<String, String> theirs, Set<String> overridden) {
    OriginalConfig config = new OriginalConfig(file, overridden);
    if (documents.size() > MOST_DOCUMENTS) {
      throw new ConfigException(config.place(documents.get(MOST_DOCUMENTS)),
          "a fourth YAML document; there are values, descriptions and choices");
    }
    for (Node other : documents.subList(1, documents.size())) {
      if (!(other instanceof MappingNode) && !other.getTag().equals(Tag.NULL)) {
        throw new ConfigException(config.place(other), "descriptions and choices must be 'key: value' lines");
      }
    }
    config.flatten("", (MappingNode) documents.getFirst());
    theirs.forEach((key, text) -> config.original.put(key, new ConfigFile.Entry(text, "--set " + key + "=" + text)));
    config.note("%s is a configuration of the original DYR; its values mean here:".formatted(file));
    config.original.forEach((key, value) -> {
      OriginalKeys.Rule rule = OriginalKeys.TABLE.get(key);
      if (rule == null) config.unknown(key, value);
      else rule.apply(config, key, value);
    });
    String absent = OriginalKeys.TABLE.keySet().stream().filter(key -> !config.original.containsKey(key))
        .collect(Collectors.joining(", "));
    if (!absent.isEmpty()) config.note("not in the file, so that this project's defaults hold: " + absent);
    if (!config.problems.isEmpty()) throw new ConfigException("", String.join("\n", config.problems));
    return new Translation(config.entries, config.notes, config.original);
  }

  /** Whether this is a key of the original's file and none of this project's: --set may give either kind. */
  static boolean isOnlyTheirs(String key) {
    return OriginalKeys.TABLE.containsKey(key) && ConfigKeys.ALL.stream().noneMatch(ours -> ours.name().equals(key));
  }

  /** The file's own keys, dotted, as {@link Translation#original}; nothing is translated. */
  static Map<String, ConfigFile.Entry> entries(Path file, List<Node> documents) {
    OriginalConfig config = new OriginalConfig(file, Set.of());
    config.flatten("", (MappingNode) documents.getFirst());
    config.original.forEach((key, value) -> {
      if (!OriginalKeys.TABLE.containsKey(key)) config.unknown(key, value);
    });
    if (!config.problems.isEmpty()) throw new ConfigException("", String.join("\n", config.problems));
    return config.original;
  }

  private void flatten(String section, MappingNode map) {
    for (NodeTuple tuple : map.getValue()) {
      if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
        throw new ConfigException(place(tuple.getKeyNode()), "a key must be a name");
      }
      String key = section + name.getValue();
      boolean isSection = OriginalKeys.TABLE.keySet().stream().anyMatch(known -> known.startsWith(key + "."));
      Node value = tuple.getValueNode();
      if (isSection && value instanceof MappingNode nested) {
        flatten(key + ".", nested);
      } else if (!isSection || !value.getTag().equals(Tag.NULL)) {
        ConfigFile.Entry before = original.putIfAbsent(key, new ConfigFile.Entry(text(key, value), place(name)));
        if (before != null) {
          throw new ConfigException(place(name), "%s is already given at %s".formatted(key, before.place()));
        }
      }
    }
  }

  private String text(String key, Node value) {
    if (value instanceof ScalarNode scalar) return scalar.getTag().equals(Tag.NULL) ? "" : scalar.getValue();
    if (value instanceof SequenceNode list && list.getValue().stream().allMatch(ScalarNode.class::isInstance)) {
      return list.getValue().stream().map(item -> ((ScalarNode) item).getValue())
          .collect(Collectors.joining(", ", "[", "]"));
    }
    if (OriginalKeys.TABLE.containsKey(key)) {
      throw new ConfigException(place(value), key + " takes one value, or a list of names");
    }
    return ""; // unknown, and reported as such
  }

  private void unknown(String key, ConfigFile.Entry value) {
    boolean ours = ConfigKeys.ALL.stream().anyMatch(known -> known.name().equals(key));
    boolean section = OriginalKeys.TABLE.keySet().stream().anyMatch(known -> known.startsWith(key + "."));
    problem(value, section ? key + " is a section, with keys below it"
        : ours ? "%s is a key of this project, not of the original's file; give it with --set %1$s=...".formatted(key)
        : "unknown key '%s'; did you mean '%s'?".formatted(key, NearestKey.among(key, OriginalKeys.TABLE.keySet())));
  }

  /** The text of a key of the file; empty when it is absent or not set. */
  String text(String key) {
    ConfigFile.Entry value = original.get(key);
    return value == null ? "" : value.text();
  }

  /** Whether --set gives a key of this project a value. */
  boolean overridden(String ours) {
    return overridden.contains(ours);
  }

  /** Gives a key of this project its value. */
  void set(String ours, String text, String key, ConfigFile.Entry from) {
    entries.put(ours, new ConfigFile.Entry(text, from.place() + ": " + key));
    String was = from.text().isEmpty() ? key : key + " " + from.text();
    note(was + " -> " + ours + " " + text + (overridden(ours) ? ", which gives way to --set" : ""));
  }

  /** Something that whoever runs this should know. */
  void note(String text) {
    notes.add(text);
  }

  /** Something that stands in the way. */
  void problem(ConfigFile.Entry where, String text) {
    problems.add(where.place() + ": " + text);
  }

  private String place(Node node) {
    return file + ":" + (node.getStartMark().getLine() + 1);
  }
}
