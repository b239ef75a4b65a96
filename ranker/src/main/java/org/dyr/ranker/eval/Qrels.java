package org.dyr.ranker.eval;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.ranker.data.DataException;

/**
 * Relevance judgements: the grade of each judged (query, passage). A query that occurs here is judged, even when none
 * of its passages is relevant. Grades may be negative (judged, and never relevant).
 *
 * @param grades qid to (pid to grade), both in the order of the file
 */
public record Qrels(Map<String, Map<String, Integer>> grades) {

  public Qrels {
    Map<String, Map<String, Integer>> copy = new LinkedHashMap<>();
    grades.forEach((qid, byPid) -> copy.put(qid, Collections.unmodifiableMap(new LinkedHashMap<>(byPid))));
    grades = Collections.unmodifiableMap(copy);
  }

  /**
   * Reads TREC qrels, plain or gzipped: {@code qid 0 pid grade} a line, blanks or tabs between, LF or CRLF. The second
   * column (0, Q0 or an iteration) is not used, as in trec_eval.
   *
   * @throws DataException naming file and line: another number of columns, a grade that is not an integer, a pair
   *     judged twice, text that is not UTF-8, no line at all
   */
  public static Qrels read(Path file) {
    Map<String, Map<String, Integer>> grades = new LinkedHashMap<>();
    try (Rows rows = Rows.open(file)) {
      for (List<String> row = rows.next(); row != null; row = rows.next()) {
        if (row.size() != 4) {
          throw rows.wrong("judgements have four columns, qid 0 pid grade; here are %d".formatted(row.size()));
        }
        int grade;
        try {
          grade = Integer.parseInt(row.get(3));
        } catch (NumberFormatException e) {
          throw rows.wrong("the fourth column must be an integer grade, not '%s'".formatted(row.get(3)));
        }
        Map<String, Integer> ofQuery = grades.computeIfAbsent(row.get(0), qid -> new LinkedHashMap<>());
        if (ofQuery.putIfAbsent(row.get(2), grade) != null) {
          throw rows.wrong("query %s and passage %s are judged a second time".formatted(row.get(0), row.get(2)));
        }
      }
    }
    if (grades.isEmpty()) throw new DataException(file, "empty; lines of 'qid 0 pid grade' are needed");
    return new Qrels(grades);
  }

  /** The judged passages of a query with their grades; empty for a query that is not judged. */
  public Map<String, Integer> of(String qid) {
    return grades.getOrDefault(qid, Map.of());
  }
}
