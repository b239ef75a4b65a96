package org.dyr.ranker.train;

import java.util.Collection;
import java.util.Comparator;

/** Finds the key that someone probably meant. */
final class NearestKey {
  private NearestKey() {}

  /** The key of this project with the least edit distance, by its whole name or by its name inside its section. */
  static String to(String unknown) {
    return among(unknown, ConfigKeys.ALL.stream().map(ConfigKey::name).toList());
  }

  /** The same among dotted names. */
  static String among(String unknown, Collection<String> names) {
    return names.stream().min(Comparator.comparingInt(name ->
        Math.min(distance(unknown, name), distance(unknown, name.substring(name.lastIndexOf('.') + 1))))).orElseThrow();
  }

  /** Insertions, deletions and replacements that turn one text into the other (Levenshtein). */
  static int distance(String a, String b) {
    int[] above = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) above[j] = j;
    for (int i = 1; i <= a.length(); i++) {
      int[] row = new int[b.length() + 1];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = above[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, 1 + Math.min(above[j], row[j - 1]));
      }
      above = row;
    }
    return above[b.length()];
  }
}
