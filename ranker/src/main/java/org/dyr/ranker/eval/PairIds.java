package org.dyr.ranker.eval;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dyr.ranker.data.DataException;

/**
 * Which query and passage each row of a file of pairs is: the original's {@code eval_ids_path}.
 *
 * @param pairs in the order of the rows
 */
public record PairIds(Path file, List<Pair> pairs) {

  /** One row's query and passage. */
  public record Pair(String qid, String pid) {}

  public PairIds {
    pairs = List.copyOf(pairs);
  }

  /**
   * Reads {@code qid pid} a line, blanks or tabs between, plain or gzipped.
   *
   * @throws DataException naming file and line: another number of columns, an id with a control character, a pair that
   *     is there twice, text that is not UTF-8, no line at all
   */
  public static PairIds read(Path file) {
    List<Pair> pairs = new ArrayList<>();
    Map<String, Set<String>> seen = new HashMap<>();
    Map<String, String> qids = new HashMap<>(); // one text a query, not one a line
    try (Rows rows = Rows.open(file)) {
      for (List<String> row = rows.next(); row != null; row = rows.next()) {
        if (row.size() != 2) throw rows.wrong("ids have two columns, qid pid; here are " + row.size());
        rows.requireId(row.get(0), "query id");
        rows.requireId(row.get(1), "passage id");
        String qid = qids.computeIfAbsent(row.get(0), q -> q);
        if (!seen.computeIfAbsent(qid, q -> new HashSet<>()).add(row.get(1))) {
          throw rows.wrong("query %s has passage %s a second time".formatted(qid, row.get(1)));
        }
        pairs.add(new Pair(qid, row.get(1)));
      }
    }
    if (pairs.isEmpty()) throw new DataException(file, "empty; lines of 'qid pid' are needed");
    return new PairIds(file, pairs);
  }
}
