package org.dyr.ranker.train;

import java.util.List;

/**
 * Compression of negatives: of a block's negatives only the hardest stay in the loss, those that the current model
 * scores highest.
 *
 * @param form how the hardest are found
 * @param levels for {@link Form#TWO_PASS} what thins the negatives out, one after the other, each keeping fewer; for
 *     {@link Form#IN_GRAPH} one level of the whole model; for {@link Form#NONE} none
 */
public record Compression(Form form, List<Level> levels) {

  /** Every negative stays. */
  public static final Compression NONE = new Compression(Form.NONE, List.of());

  /** How the hardest negatives are found. */
  public enum Form {
    /** Not at all: every negative stays. */
    NONE,
    /** Scored by the inference program, without dropout; only those that stay run forward and backward. */
    TWO_PASS,
    /**
     * One training forward over all, with dropout, and the choice inside the loss: the form of the original. A dropped
     * negative's gradient is zero, and is computed nevertheless.
     */
    IN_GRAPH
  }

  /** What gives a negative its score. */
  public enum Scorer { RETRIEVAL, LAYERS, MODEL }

  /**
   * One level. Of equal scores the one that stands first in the block goes before the others; a block with no more than
   * {@code kept} negatives keeps all.
   *
   * @param layers encoder layers that score, before the pooler and the head; 0 where they do not
   * @param kept negatives that stay
   */
  public record Level(Scorer scorer, int layers, int kept) {

    public Level {
      if (kept < 1) throw new IllegalArgumentException("a level must keep at least 1 negative, not " + kept);
      if (layers < 1 == (scorer == Scorer.LAYERS)) {
        throw new IllegalArgumentException("a level of %s cannot have %d layers".formatted(scorer, layers));
      }
    }

    /** All layers. */
    public static Level model(int kept) {
      return new Level(Scorer.MODEL, 0, kept);
    }

    /**
     * A level from its text: {@code retrieval keep 64}, {@code layers 2 keep 32} or {@code model keep 15}.
     *
     * @throws IllegalArgumentException for any other text
     */
    public static Level parse(String text) {
      String[] words = text.strip().split("\\s+");
      try {
        int last = words.length - 1;
        if (last >= 2 && words[last - 1].equals("keep")) {
          int kept = Integer.parseInt(words[last]);
          if (last == 2 && words[0].equals("retrieval")) return new Level(Scorer.RETRIEVAL, 0, kept);
          if (last == 2 && words[0].equals("model")) return model(kept);
          if (last == 3 && words[0].equals("layers")) return new Level(Scorer.LAYERS, Integer.parseInt(words[1]), kept);
        }
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(wrong(text), e);
      }
      throw new IllegalArgumentException(wrong(text));
    }

    private static String wrong(String text) {
      return "a level must read 'retrieval keep 64', 'layers 2 keep 32' or 'model keep 15', not '%s'".formatted(text);
    }

    @Override public String toString() {
      String who = scorer == Scorer.LAYERS ? "layers " + layers : scorer.name().toLowerCase(java.util.Locale.ROOT);
      return who + " keep " + kept;
    }
  }

  public Compression {
    levels = List.copyOf(levels);
    if (form == Form.NONE != levels.isEmpty()) throw new IllegalArgumentException(form + " with the levels " + levels);
    if (form == Form.IN_GRAPH && (levels.size() != 1 || levels.get(0).scorer() != Scorer.MODEL)) {
      throw new IllegalArgumentException("in_graph has one level, that of the model, not " + levels);
    }
    for (int i = 1; i < levels.size(); i++) {
      if (levels.get(i).kept() >= levels.get(i - 1).kept()) {
        throw new IllegalArgumentException(
            "each level must keep fewer than the one before: '%s' follows '%s'".formatted(levels.get(i),
                levels.get(i - 1)));
      }
    }
  }

  /** Negatives that stay at the end; as many as there are without compression. */
  public int kept() {
    return levels.isEmpty() ? Integer.MAX_VALUE : levels.getLast().kept();
  }
}
