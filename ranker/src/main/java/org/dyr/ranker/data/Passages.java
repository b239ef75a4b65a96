package org.dyr.ranker.data;

import java.nio.file.Path;

/** The passages of a {@code collection.tsv}, one after the other. */
public final class Passages implements AutoCloseable {
  private final Lines lines;

  private Passages(Lines lines) {
    this.lines = lines;
  }

  static Passages open(Path file) {
    return new Passages(Lines.open(file));
  }

  /**
   * The next passage, or null after the last.
   *
   * @throws DataException naming file and line, when a line has other than two columns or an id that is
   *     empty or has a blank
   */
  public Passage next() {
    String[] row = lines.next(2, "pid<TAB>text");
    if (row == null) return null;
    lines.requireId(row[0], "passage id");
    return new Passage(row[0], row[1]);
  }

  public Path file() {
    return lines.file();
  }

  /** An error at the passage that came last. */
  DataException wrong(String problem) {
    return lines.wrong(problem);
  }

  @Override public void close() {
    lines.close();
  }
}
