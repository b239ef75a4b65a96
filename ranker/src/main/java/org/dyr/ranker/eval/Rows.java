package org.dyr.ranker.eval;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.Lines;

/** A text file row by row, each row cut at blanks and tabs, in any number; rows without a column are passed over. */
final class Rows implements AutoCloseable {
  private final Lines lines;

  private Rows(Lines lines) {
    this.lines = lines;
  }

  static Rows open(Path file) {
    return new Rows(Lines.open(file));
  }

  /** The columns of the next row, or null at the end of the file. */
  List<String> next() {
    for (String line = lines.next(); line != null; line = lines.next()) {
      List<String> columns = columns(line);
      if (!columns.isEmpty()) return columns;
    }
    return null;
  }

  /** As {@link Lines#requireId}, of the row that came last. */
  void requireId(String id, String what) {
    lines.requireId(id, what);
  }

  /** An error at the row that came last. */
  DataException wrong(String problem) {
    return lines.wrong(problem);
  }

  private static List<String> columns(String line) {
    List<String> columns = new ArrayList<>(6);
    int start = -1;
    for (int i = 0; i <= line.length(); i++) {
      boolean between = i == line.length() || line.charAt(i) == ' ' || line.charAt(i) == '\t';
      if (!between && start < 0) start = i;
      if (between && start >= 0) {
        columns.add(line.substring(start, i));
        start = -1;
      }
    }
    return columns;
  }

  @Override public void close() {
    lines.close();
  }
}
