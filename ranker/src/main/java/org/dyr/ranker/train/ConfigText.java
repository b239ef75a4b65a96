package org.dyr.ranker.train;

/** Configurations as YAML text: the commented list of all keys, and one configuration's values. */
final class ConfigText {
  private static final String HEAD = """
      # All keys of a training configuration with their defaults; a key without a value is not set.
      # Give data or groups, model_config (with vocab) or pretrained, and out; the others as needed.
      # Every path may be s3://bucket/key, of an object or a folder.
      # Relative paths start at the working directory, not at this file. A key of a section may also be written with a
      # dot, as in "optimizer.name: lamb"; --set optimizer.name=lamb overrides the file, and "--set key=" unsets it.
      """;

  private ConfigText() {}

  /** Every key with its description, type, range and default; valid YAML. */
  static String help() {
    StringBuilder text = new StringBuilder(HEAD);
    String section = "";
    for (ConfigKey<?> key : ConfigKeys.ALL) {
      text.append('\n');
      section = open(key, section, text);
      String indent = section.isEmpty() ? "" : "  ";
      String range = key.range().words().isEmpty() ? "" : ", " + key.range().words();
      text.append(indent).append("# ").append(key.description()).append('\n');
      text.append(indent).append("# (").append(key.type().expected()).append(range).append(")\n");
      text.append((indent + key.leaf() + ": " + key.printStandard()).stripTrailing()).append('\n');
    }
    return text.toString();
  }

  /** The values of a configuration, those not set left out. */
  static String of(TrainConfig config) {
    StringBuilder text = new StringBuilder();
    String section = "";
    for (ConfigKey<?> key : ConfigKeys.ALL) {
      String value = key.print(config);
      if (value == null) continue;
      section = open(key, section, text);
      text.append(section.isEmpty() ? "" : "  ").append(key.leaf()).append(": ").append(value).append('\n');
    }
    return text.toString();
  }

  /** Writes the head of the key's section when the key is the first of it; keys of a section stand together. */
  private static String open(ConfigKey<?> key, String section, StringBuilder text) {
    if (!key.section().isEmpty() && !key.section().equals(section)) text.append(key.section()).append(":\n");
    return key.section();
  }
}
