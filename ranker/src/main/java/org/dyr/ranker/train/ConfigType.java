package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dyr.ranker.remote.RemotePaths;

/**
 * How the text of a value becomes a value, and back. Values are read from their text as written, never through YAML's
 * own guesses, so {@code 1e-5} is a number, {@code 007} stays a name where a name is asked for, and {@code --set} reads
 * exactly as the file does.
 *
 * @param expected what is expected, to complete "must be ..."
 * @param parser the value of a text, or null when the text has no such value
 * @param printer YAML that reads back as the value
 */
record ConfigType<T>(String expected, Function<String, T> parser, Function<T, String> printer) {
  // No hexadecimal, no suffix, no NaN, no infinity: Double.parseDouble would take them all.
  private static final Pattern DECIMAL = Pattern.compile("[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?");
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z_/.][A-Za-z0-9_/.-]*");
  private static final List<String> TAKEN = List.of("true", "false", "null", "yes", "no", "on", "off", "y", "n");

  static final ConfigType<Integer> INTEGER = new ConfigType<>("an integer", ConfigType::integer, String::valueOf);
  static final ConfigType<Long> LONG = new ConfigType<>("an integer", ConfigType::longInteger, String::valueOf);
  static final ConfigType<Double> NUMBER = new ConfigType<>("a number", ConfigType::number, ConfigType::printNumber);
  static final ConfigType<Boolean> FLAG = new ConfigType<>("true or false", ConfigType::flag, String::valueOf);
  static final ConfigType<String> TEXT = new ConfigType<>("a name", t -> t.isBlank() ? null : t, ConfigType::quote);
  /** To be read; {@code s3://bucket/key} too. */
  static final ConfigType<Path> PATH = new ConfigType<>("a path", text -> path(text, RemotePaths::input),
      path -> quote(RemotePaths.text(path)));
  /** To be written; {@code s3://bucket/key} too. */
  static final ConfigType<Path> OUTPUT = new ConfigType<>("a path", text -> path(text, RemotePaths::output),
      path -> quote(RemotePaths.text(path)));
  /** A list also takes a YAML sequence; its text is the items with commas between, with or without brackets. */
  static final ConfigType<List<String>> NAMES = new ConfigType<>("a list of names", ConfigType::names,
      names -> names.stream().map(ConfigType::quote).collect(Collectors.joining(", ", "[", "]")));

  /** A list as {@link #NAMES}. */
  static final ConfigType<List<Compression.Level>> LEVELS = new ConfigType<>(
      "a list of levels such as 'retrieval keep 64', 'layers 2 keep 32' or 'model keep 15'", ConfigType::levels,
      levels -> levels.stream().map(level -> quote(level.toString())).collect(Collectors.joining(", ", "[", "]")));

  /** One of a few names. */
  static ConfigType<String> oneOf(String... names) {
    return new ConfigType<>("one of " + String.join(", ", names),
        text -> Arrays.asList(names).contains(text) ? text : null, ConfigType::quote);
  }

  private static Integer integer(String text) {
    try {
      return Integer.valueOf(text);
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static Long longInteger(String text) {
    try {
      return Long.valueOf(text);
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static Double number(String text) {
    if (!DECIMAL.matcher(text).matches()) return null;
    double value = Double.parseDouble(text);
    return Double.isFinite(value) ? value : null;
  }

  /** As Java prints it, with a small e: {@code 1.0e-5} is a float for every YAML reader, {@code 1e-5} is not. */
  private static String printNumber(double value) {
    return Double.toString(value).replace('E', 'e');
  }

  private static Boolean flag(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> null;
    };
  }

  private static Path path(String text, Function<String, Path> meaning) {
    try {
      return text.isBlank() ? null : meaning.apply(text);
    } catch (IllegalArgumentException e) { // an InvalidPathException among them
      return null;
    }
  }

  private static List<String> names(String text) {
    String inner = text.startsWith("[") && text.endsWith("]") ? text.substring(1, text.length() - 1) : text;
    return Arrays.stream(inner.split(",")).map(String::strip).filter(name -> !name.isEmpty()).toList();
  }

  private static List<Compression.Level> levels(String text) {
    try {
      return names(text).stream().map(Compression.Level::parse).toList();
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static String quote(String text) {
    if (PLAIN.matcher(text).matches() && !TAKEN.contains(text.toLowerCase(Locale.ROOT))) return text;
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ' || c == 0x7f) quoted.append("\\x%02x".formatted((int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
