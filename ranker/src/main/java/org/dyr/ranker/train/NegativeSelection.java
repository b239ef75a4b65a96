package org.dyr.ranker.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;

/**
 * The first of {@link Compression.Form#TWO_PASS}'s passes: which negatives stay, by the levels of a
 * {@link Compression}.
 */
final class NegativeSelection implements AutoCloseable {
  private static final int[] POSITIVE = {0};

  private final List<Compression.Level> levels;
  private final List<Scorer> scorers = new ArrayList<>(); // of each level; null where none is needed

  /** @param tokens the most tokens scored at once */
  NegativeSelection(Model model, Compression compression, int tokens, Set<String> fusionsOff) {
    levels = compression.form() == Compression.Form.TWO_PASS ? compression.levels() : List.of();
    for (Compression.Level level : levels) {
      scorers.add(switch (level.scorer()) {
        case RETRIEVAL -> null;
        case LAYERS -> new Scorer(model, fusionsOff, tokens, level.layers());
        case MODEL -> new Scorer(model, fusionsOff, tokens);
      });
    }
  }

  /** The places of each block's pairs that stay, ascending: the positive's, 0, always does. */
  List<int[]> select(List<EncodedGroup> groups) {
    List<int[]> staying = new ArrayList<>();
    for (EncodedGroup g : groups) staying.add(IntStream.range(0, g.pairs().size()).toArray());
    for (int i = 0; i < levels.size(); i++) thin(groups, staying, levels.get(i).kept(), scorers.get(i));
    return staying;
  }

  /** Scores the negatives of all blocks that have too many together, so that they are packed well. */
  private static void thin(List<EncodedGroup> groups, List<int[]> staying, int kept, Scorer scorer) {
    List<EncodedPair> pairs = new ArrayList<>();
    for (int g = 0; g < groups.size(); g++) {
      if (staying.get(g).length - 1 <= kept) continue;
      for (int place : negatives(staying.get(g))) pairs.add(groups.get(g).pairs().get(place));
    }
    float[] scores = scorer == null || pairs.isEmpty() ? null : scorer.score(pairs);
    int from = 0;
    for (int g = 0; g < groups.size(); g++) {
      int[] negatives = negatives(staying.get(g));
      if (negatives.length <= kept) continue;
      float[] hardness = new float[negatives.length];
      for (int i = 0; i < hardness.length; i++) {
        hardness[i] = scores == null ? -groups.get(g).retrieval()[negatives[i]] : scores[from + i];
      }
      from += negatives.length;
      int[] hardest = IntStream.range(0, hardness.length).boxed()
          .sorted(Comparator.<Integer>comparingDouble(i -> -hardness[i])) // stable: of equal ones the first stands first
          .limit(kept).mapToInt(i -> negatives[i]).sorted().toArray();
      staying.set(g, IntStream.concat(Arrays.stream(POSITIVE), Arrays.stream(hardest)).toArray());
    }
  }

  private static int[] negatives(int[] places) {
    return Arrays.copyOfRange(places, 1, places.length);
  }

  /** Bytes of the workspaces of all levels. */
  long workspaceBytes() {
    return scorers.stream().mapToLong(s -> s == null ? 0 : s.workspaceBytes()).sum();
  }

  @Override public void close() {
    for (Scorer s : scorers) if (s != null) s.close();
  }
}
