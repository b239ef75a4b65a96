package org.dyr.ranker.train;

import java.util.function.Predicate;

/**
 * One key of the configuration, with all that is known of it.
 *
 * @param name dotted where it stands in a section
 * @param standard the default; null where a key that is absent means "not set"
 * @param description one line for whoever writes a configuration
 * @param range what must hold of a value beyond its type
 */
record ConfigKey<T>(String name, ConfigType<T> type, T standard, String description, Range<T> range) {

  /** A condition in words that complete "must be ..."; the words are empty where every value will do. */
  record Range<T>(String words, Predicate<T> holds) {}

  /** The value of a text, checked. */
  T parse(String text, String place) {
    T value = type.parser().apply(text);
    if (value == null) {
      throw new ConfigException(place, "%s must be %s, not '%s'".formatted(name, type.expected(), text));
    }
    if (!range.holds.test(value)) {
      throw new ConfigException(place, "%s must be %s, not %s".formatted(name, range.words, text));
    }
    return value;
  }

  /** YAML of this key's value in a configuration, or null when it is not set. */
  String print(TrainConfig config) {
    T value = config.find(this).orElse(null);
    return value == null ? null : type.printer().apply(value);
  }

  /** YAML of the default, empty when there is none. */
  String printStandard() {
    return standard == null ? "" : type.printer().apply(standard);
  }

  /** The section the key stands in, or empty; a key whose section is a key itself is written out with its dot. */
  String section() {
    int dot = name.indexOf('.');
    String section = dot < 0 ? "" : name.substring(0, dot);
    return ConfigKeys.ALL.stream().anyMatch(key -> key.name.equals(section)) ? "" : section;
  }

  /** The name inside its section. */
  String leaf() {
    return section().isEmpty() ? name : name.substring(name.indexOf('.') + 1);
  }
}
