package org.dyr.tests.endtoend;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.EncodedGroup;

/** Sequences of random tokens, from a fixed seed. */
final class TinyBatches {
  private TinyBatches() {}

  static EncodedPair pair(SplittableRandom random, int length) {
    int[] ids = random.ints(length, 0, TinyData.VOCABULARY).toArray();
    return new EncodedPair(ids, Math.max(1, length / 3));
  }

  /** Sequences of 3 to {@code longest} tokens. */
  static List<EncodedPair> pairs(long seed, int count, int longest) {
    SplittableRandom random = new SplittableRandom(seed);
    List<EncodedPair> pairs = new ArrayList<>();
    for (int i = 0; i < count; i++) pairs.add(pair(random, random.nextInt(3, longest + 1)));
    return pairs;
  }

  /** Such groups as the trainer takes them. */
  static List<EncodedGroup> encodedGroups(long seed, int count, int size, int longest) {
    return groups(seed, count, size, longest).stream().map(EncodedGroup::of).toList();
  }

  /** Groups of {@code size} such sequences. */
  static List<List<EncodedPair>> groups(long seed, int count, int size, int longest) {
    List<EncodedPair> pairs = pairs(seed, count * size, longest);
    List<List<EncodedPair>> groups = new ArrayList<>();
    for (int g = 0; g < count; g++) groups.add(pairs.subList(g * size, (g + 1) * size));
    return groups;
  }
}
