package org.dyr.benchmarks.peers;

import java.util.ArrayList;
import java.util.List;
import org.dyr.benchmarks.peers.Job.Mode;
import org.dyr.benchmarks.peers.Job.Size;

/**
 * Work that everybody does.
 *
 * @param model the size's name
 * @param count sequences of a run
 * @param length of each of them, in tokens; 0 for texts of {@link Medquad}, each as long as it is
 * @param dropout of training; without it the numbers of a run can be compared
 */
record Row(Mode mode, String model, Size size, int count, int length, double dropout) {
  /** Sequences at once where an engine pads. */
  static final int BATCH = 32;

  private static final int SHORT = 128;
  private static final int LONG = Job.POSITIONS;
  private static final int TRAINED = Job.GROUP;
  private static final int TRAINED_TEXTS = 64;
  private static final int SCORED = BATCH;
  private static final int SCORED_TEXTS = 256;
  private static final double DROPOUT = 0.1;
  private static final Size BASE = new Size(12, 768, 12);
  private static final Size MINI = new Size(6, 384, 12);
  private static final Size TINY = new Size(2, 64, 4);

  /** All of them, those that only compare numbers first. */
  static List<Row> all() {
    List<Row> rows = new ArrayList<>();
    for (Mode mode : Mode.values()) rows.add(new Row(mode, "tiny", TINY, 2 * Job.GROUP, 24, 0));
    for (Mode mode : Mode.values()) {
      for (int length : new int[] {SHORT, LONG}) {
        rows.add(fixed(mode, "base", BASE, length));
        rows.add(fixed(mode, "minilm", MINI, length));
      }
    }
    for (Mode mode : Mode.values()) {
      int count = mode == Mode.TRAIN ? TRAINED_TEXTS : SCORED_TEXTS;
      rows.add(new Row(mode, "base", BASE, count, 0, DROPOUT));
      rows.add(new Row(mode, "minilm", MINI, count, 0, DROPOUT));
    }
    return rows;
  }

  private static Row fixed(Mode mode, String model, Size size, int length) {
    return new Row(mode, model, size, mode == Mode.TRAIN ? TRAINED : SCORED, length, DROPOUT);
  }

  /** {@code train base 8x512}, {@code infer minilm medquad}. */
  String name() {
    return "%s %s %s".formatted(mode == Mode.TRAIN ? "train" : "infer", model,
        ofTexts() ? "medquad" : count + "x" + length);
  }

  boolean ofTexts() {
    return length == 0;
  }

  /** Whether the row is there for its numbers, not for its times. */
  boolean onlyCompares() {
    return size.equals(TINY);
  }

  /** Whether a run's numbers do not depend on an engine's random masks. */
  boolean comparable() {
    return mode == Mode.INFER || dropout == 0;
  }

  /** The short row of the same model, on which threads are tried out. */
  Row shortest() {
    return onlyCompares() ? this : fixed(mode, model, size, SHORT);
  }

  /** The row of one length on which what depends on the length is tried out. */
  Row even() {
    return ofTexts() ? fixed(mode, model, size, LONG) : this;
  }
}
