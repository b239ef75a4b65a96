package org.dyr.ranker.eval;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.dyr.ranker.data.DataException;

/** Reads a run file, plain or gzipped, and says which form it had. The forms and their orders: {@link RunFormat}. */
public final class RunReader {
  // Ranks of up to 15 digits are exact in a double.
  private static final Pattern RANK = Pattern.compile("0*[1-9][0-9]{0,14}");

  /** A run with the form it was read from. */
  public record Result(Run run, RunFormat format) {}

  /** One row: the passage and its third (or fifth) column as a number. */
  private record Row(String pid, double number) {}

  /** The rows of one query in file order, and the pids among them. */
  private record QueryRows(List<Row> rows, Set<String> pids) {}

  private final Map<String, QueryRows> queries = new LinkedHashMap<>();
  private boolean allRanks = true; // every number so far could be a rank

  private RunReader() {}

  /**
   * Reads a run. Columns stand between blanks or tabs.
   *
   * @throws DataException naming file and line: a number of columns that is not 3, 4 or 6 or that changes, a score that
   *     is not a finite number, four columns of which the third is no rank, a passage that occurs twice for a query,
   *     text that is not UTF-8, no line at all
   */
  public static Result read(Path file) {
    RunReader reader = new RunReader();
    int columns = 0;
    try (Rows rows = Rows.open(file)) {
      for (List<String> row = rows.next(); row != null; row = rows.next()) {
        if (columns == 0) {
          columns = row.size();
          if (columns != 3 && columns != 4 && columns != 6) {
            throw rows.wrong(("a run has six columns (qid Q0 pid rank score tag), four (qid pid rank score) or three "
                + "(qid pid rank, qid pid score); here are %d").formatted(columns));
          }
        }
        if (row.size() != columns) {
          throw rows.wrong("%d columns here, %d in the rows before".formatted(row.size(), columns));
        }
        if (columns == 4 && !RANK.matcher(row.get(2)).matches()) {
          throw rows.wrong("of four columns (qid pid rank score) the third must be a rank, not '%s'"
              .formatted(row.get(2)));
        }
        if (columns == 6) reader.add(rows, row.get(0), row.get(2), row.get(4));
        else reader.add(rows, row.get(0), row.get(1), row.get(2));
        if (columns == 4) number(rows, row.get(3));
      }
    }
    if (columns == 0) throw new DataException(file, "empty; a run is needed, with three, four or six columns a line");
    RunFormat format = switch (columns) {
      case 6 -> RunFormat.TREC;
      case 4 -> RunFormat.MS_MARCO;
      default -> reader.ranks() ? RunFormat.MS_MARCO : RunFormat.SCORES;
    };
    return new Result(reader.run(format), format);
  }

  private void add(Rows file, String qid, String pid, String text) {
    double number = number(file, text);
    QueryRows rows = queries.computeIfAbsent(qid, q -> new QueryRows(new ArrayList<>(), new HashSet<>()));
    if (!rows.pids.add(pid)) throw file.wrong("query %s has passage %s a second time".formatted(qid, pid));
    rows.rows.add(new Row(pid, number));
    allRanks = allRanks && RANK.matcher(text).matches();
  }

  private static double number(Rows file, String text) {
    double number;
    try {
      number = Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw file.wrong("a number is needed as rank or score, not '%s'".formatted(text));
    }
    if (!Double.isFinite(number)) throw file.wrong("the score %s is not a finite number".formatted(text));
    return number;
  }

  private boolean ranks() {
    if (!allRanks) return false;
    for (QueryRows q : queries.values()) {
      if (q.rows.stream().mapToDouble(Row::number).distinct().count() < q.rows.size()) return false;
    }
    return true;
  }

  private Run run(RunFormat format) {
    Comparator<Row> order = format == RunFormat.MS_MARCO ? Comparator.comparingDouble(Row::number)
        : (a, b) -> Run.order(a.number, a.pid, b.number, b.pid);
    Map<String, List<String>> lists = new LinkedHashMap<>();
    queries.forEach((qid, q) -> lists.put(qid, q.rows.stream().sorted(order).map(Row::pid).toList())); // stable
    return new Run(lists);
  }
}
