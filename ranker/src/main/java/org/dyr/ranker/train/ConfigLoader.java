package org.dyr.ranker.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.yaml.snakeyaml.nodes.Node;

/** Makes a {@link TrainConfig} from a YAML file and overrides, by the table of {@link ConfigKeys}. */
public final class ConfigLoader {
  private ConfigLoader() {}

  /** As {@link #load(Path, Map, Consumer)}, without its notes. */
  public static TrainConfig load(Path file, Map<String, String> overrides) throws IOException {
    return load(file, overrides, note -> {});
  }

  /**
   * Reads a file and puts overrides over it. A configuration of the original DYR is known by its keys and translated.
   *
   * @param overrides dotted key to text; an empty text takes the file's value away
   * @param notes is told what became of each key of the original's
   * @throws ConfigException when the file is not YAML, a key is unknown or given twice, a value has the wrong type or
   *     range, or the whole does not fit together; the message names file and line
   * @throws IOException when the file cannot be read
   */
  public static TrainConfig load(Path file, Map<String, String> overrides, Consumer<String> notes) throws IOException {
    List<Node> documents = ConfigFile.documents(file);
    if (!OriginalConfig.recognises(documents)) {
      return load(ConfigFile.entries(file, documents), overrides, file.toString());
    }
    Map<String, String> theirs = new LinkedHashMap<>(), ours = new LinkedHashMap<>();
    overrides.forEach((key, text) -> (OriginalConfig.isOnlyTheirs(key) ? theirs : ours).put(key, text));
    Set<String> given = ours.entrySet().stream().filter(o -> !o.getValue().isEmpty()).map(Map.Entry::getKey)
        .collect(Collectors.toSet());
    OriginalConfig.Translation translation = OriginalConfig.translate(file, documents, theirs, given);
    TrainConfig config = load(translation.entries(), ours, file.toString());
    translation.notes().forEach(notes);
    OriginalModel.compare(translation.original(), config, given, notes);
    return config;
  }

  /** As {@link #load(Path, Map)} without a file: dotted key to text. */
  public static TrainConfig of(Map<String, String> settings) {
    return load(Map.of(), settings, "");
  }

  /** Every key with its default and description: the text of {@code dyr train --help-config}, itself valid YAML. */
  public static String help() {
    return ConfigText.help();
  }

  /** The key of that name; when there is none, the error suggests the nearest. */
  static ConfigKey<?> known(String name, String place) {
    for (ConfigKey<?> key : ConfigKeys.ALL) {
      if (key.name().equals(name)) return key;
    }
    List<ConfigKey<?>> members = ConfigKeys.ALL.stream().filter(key -> key.section().equals(name)).toList();
    if (!members.isEmpty()) {
      throw new ConfigException(place, "%s is a section; its keys are %s".formatted(name,
          members.stream().map(ConfigKey::leaf).collect(Collectors.joining(", "))));
    }
    throw new ConfigException(place, "unknown key '%s'; did you mean '%s'? (dyr train --help-config lists all keys)"
        .formatted(name, NearestKey.to(name)));
  }

  private static TrainConfig load(Map<String, ConfigFile.Entry> file, Map<String, String> overrides, String place) {
    Map<String, ConfigFile.Entry> entries = new LinkedHashMap<>(file);
    overrides.forEach((key, text) -> entries.put(key,
        new ConfigFile.Entry(text.isEmpty() ? null : text, "--set " + key + "=" + text)));
    Map<ConfigKey<?>, Object> values = new LinkedHashMap<>();
    entries.forEach((name, entry) -> {
      ConfigKey<?> key = known(name, entry.place());
      if (entry.text() != null) values.put(key, key.parse(entry.text(), entry.place()));
    });
    try {
      return new TrainConfig(values);
    } catch (ConfigException e) {
      throw new ConfigException(place, e.getMessage());
    }
  }
}
