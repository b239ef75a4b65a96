package org.dyr.ranker.train;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * A YAML file as entries: dotted key to text and line. Only YAML's nodes are used, never the objects that it would make
 * of them: the text of each value stays as written and every fault has a line.
 */
final class ConfigFile {

  /** A value as written (null: none), and where. */
  record Entry(String text, String place) {}

  private final Path file;
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  private ConfigFile(Path file) {
    this.file = file;
  }

  /** The YAML documents of a file, those of nothing but comments left out. */
  static List<Node> documents(Path file) throws IOException {
    String text;
    try {
      text = Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new ConfigException(file.toString(), "not UTF-8");
    }
    List<Node> documents = new ArrayList<>();
    try {
      new Yaml(new SafeConstructor(new LoaderOptions())).composeAll(new StringReader(text)).forEach(documents::add);
    } catch (MarkedYAMLException e) {
      int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
      throw new ConfigException(file + ":" + line, "not YAML: " + e.getProblem());
    } catch (YAMLException e) {
      throw new ConfigException(file.toString(), "not YAML: " + e.getMessage().lines().findFirst().orElse(""));
    }
    return documents;
  }

  /** The entries of a file of this project, which is one document. */
  static Map<String, Entry> entries(Path file, List<Node> documents) {
    ConfigFile config = new ConfigFile(file);
    if (documents.size() > 1) {
      throw new ConfigException(config.place(documents.get(1)), "a second YAML document; one is needed");
    }
    if (!documents.isEmpty()) {
      if (!(documents.getFirst() instanceof MappingNode map)) {
        throw new ConfigException(config.place(documents.getFirst()), "'key: value' lines are needed");
      }
      config.add("", map);
    }
    return config.entries;
  }

  private void add(String section, MappingNode map) {
    for (NodeTuple tuple : map.getValue()) {
      if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
        throw new ConfigException(place(tuple.getKeyNode()), "a key must be a name");
      }
      String key = section + name.getValue();
      boolean isSection = ConfigKeys.ALL.stream().anyMatch(known -> known.name().startsWith(key + "."));
      Node value = tuple.getValueNode();
      if (isSection && value instanceof MappingNode nested) {
        add(key + ".", nested);
      } else if (!isSection || !value.getTag().equals(Tag.NULL) || isKey(key)) {
        Entry before = entries.putIfAbsent(key, new Entry(text(key, value), place(name)));
        if (before != null) {
          throw new ConfigException(place(name), "%s is already given at %s".formatted(key, before.place));
        }
      }
    }
  }

  private static boolean isKey(String name) {
    return ConfigKeys.ALL.stream().anyMatch(known -> known.name().equals(name));
  }

  private String text(String key, Node value) {
    if (value instanceof ScalarNode scalar) return scalar.getTag().equals(Tag.NULL) ? null : scalar.getValue();
    if (value instanceof SequenceNode list && isList(key)) {
      List<String> items = list.getValue().stream().map(item -> {
        if (item instanceof ScalarNode scalar) return scalar.getValue();
        throw new ConfigException(place(item), key + " must be a list of names");
      }).toList();
      return "[" + String.join(", ", items) + "]";
    }
    ConfigLoader.known(key, place(value)); // an unknown key is the better message
    throw new ConfigException(place(value),
        "%s takes one value, not a %s".formatted(key, value instanceof SequenceNode ? "list" : "map"));
  }

  private static boolean isList(String key) {
    return ConfigKeys.ALL.stream().anyMatch(known -> known.name().equals(key)
        && (known.type() == ConfigType.NAMES || known.type() == ConfigType.LEVELS));
  }

  private String place(Node node) {
    return file + ":" + (node.getStartMark().getLine() + 1);
  }
}
