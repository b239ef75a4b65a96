package org.dyr.ranker.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dyr.collective.Collective;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;

/**
 * The first of {@link Compression.Form#TWO_PASS}'s passes: which negatives stay, by the levels of a
 * {@link Compression}. The ranks of a group share the scoring of its blocks, and all make the same choice.
 */
final class NegativeSelection implements AutoCloseable {
  private static final int[] POSITIVE = {0};

  private final Backend backend;
  private final Collective ranks;
  private final List<Compression.Level> levels;
  private final List<Scorer> scorers = new ArrayList<>(); // of each level; null where none is needed

  /**
   * @param tokens the most tokens scored at once
   * @param ranks those that have the same blocks
   */
  NegativeSelection(Model model, Compression compression, int tokens, Set<String> fusionsOff, Collective ranks) {
    backend = model.backend();
    this.ranks = ranks;
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
  private void thin(List<EncodedGroup> groups, List<int[]> staying, int kept, Scorer scorer) {
    List<EncodedPair> pairs = new ArrayList<>();
    for (int g = 0; g < groups.size(); g++) {
      if (staying.get(g).length - 1 <= kept) continue;
      for (int place : negatives(staying.get(g))) pairs.add(groups.get(g).pairs().get(place));
    }
    float[] scores = scorer == null || pairs.isEmpty() ? null : scores(scorer, pairs);
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
          // stable: of equal ones the first stands first
          .sorted(Comparator.<Integer>comparingDouble(i -> -hardness[i]))
          .limit(kept).mapToInt(i -> negatives[i]).sorted().toArray();
      staying.set(g, IntStream.concat(Arrays.stream(POSITIVE), Arrays.stream(hardest)).toArray());
    }
  }

  /** The scores of all pairs, each scored by one rank. */
  private float[] scores(Scorer scorer, List<EncodedPair> pairs) {
    if (ranks.size() == 1) return scorer.score(pairs);
    int[] lengths = pairs.stream().mapToInt(EncodedPair::length).toArray(), counts = new int[ranks.size()];
    int[] owners = Balance.TOKENS.owners(lengths, counts);
    List<EncodedPair> mine = new ArrayList<>();
    for (int i = 0; i < owners.length; i++) {
      counts[owners[i]]++;
      if (owners[i] == ranks.rank()) mine.add(pairs.get(i));
    }
    int most = Arrays.stream(counts).max().orElseThrow();
    float[] all = gather(Arrays.copyOf(mine.isEmpty() ? new float[0] : scorer.score(mine), most));
    int[] next = new int[ranks.size()];
    float[] scores = new float[owners.length];
    for (int i = 0; i < scores.length; i++) scores[i] = all[owners[i] * most + next[owners[i]]++];
    return scores;
  }

  /** What every rank gives, one after the other; as many numbers in each. */
  private float[] gather(float[] own) {
    long bytes = (long) own.length * Float.BYTES;
    try (Slab from = backend.allocate(bytes, "scores of a rank");
        Slab to = backend.allocate(bytes * ranks.size(), "scores of the ranks");
        Arena arena = Arena.ofConfined()) {
      backend.upload(arena.allocateFrom(ValueLayout.JAVA_FLOAT, own), bytes, from.span(0, bytes));
      ranks.allGather(from.span(0, bytes), to.span(0, to.bytes()));
      MemorySegment host = arena.allocate(ValueLayout.JAVA_FLOAT, to.bytes() / Float.BYTES);
      backend.download(to.span(0, to.bytes()), host);
      return host.toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  private static int[] negatives(int[] places) {
    return Arrays.copyOfRange(places, 1, places.length);
  }

  /** Has the workspaces ready. */
  void reserve() {
    for (Scorer s : scorers) if (s != null) s.reserve();
  }

  /** Bytes of the workspaces of all levels. */
  long workspaceBytes() {
    return scorers.stream().mapToLong(s -> s == null ? 0 : s.workspaceBytes()).sum();
  }

  @Override public void close() {
    for (Scorer s : scorers) if (s != null) s.close();
  }
}
