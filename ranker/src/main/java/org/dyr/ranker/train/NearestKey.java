package org.dyr.ranker.train;

import java.util.Comparator;

/** Finds the key that someone probably meant. */
final class NearestKey {
  private NearestKey() {}

  /** The key with the least edit distance, by its whole name or by its name inside its section. */
  static String to(String unknown) {
    return ConfigKeys.ALL.stream()
        .min(Comparator.comparingInt(key -> Math.min(distance(unknown, key.name()), distance(unknown, key.leaf()))))
        .orElseThrow().name();
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
