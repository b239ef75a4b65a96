package org.dyr.ranker.eval;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A ranking: for each query its passages, best first. Queries stand in the order of their first appearance. A list
 * holds no passage twice.
 *
 * @param lists qid to pids, best first
 */
public record Run(Map<String, List<String>> lists) {

  public Run {
    Map<String, List<String>> copy = new LinkedHashMap<>();
    lists.forEach((qid, pids) -> copy.put(qid, List.copyOf(pids)));
    lists = Collections.unmodifiableMap(copy);
  }

  /**
   * Orders two passages as trec_eval does: the higher score first, of equal ones the greater id, by its UTF-8 bytes. So
   * what is measured depends neither on the order in which passages were offered nor on who measures.
   */
  static int order(double score, String pid, double other, String otherPid) {
    if (score != other) return score > other ? -1 : 1; // 0.0 and -0.0 are equal
    return Arrays.compareUnsigned(otherPid.getBytes(StandardCharsets.UTF_8), pid.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Ranks scored pools: falling score, equal scores by falling id, as trec_eval does. A query whose pool is empty is
   * not in the run, as it has no line in a file. Two pools of one query are an error.
   */
  public static Run of(List<ScoredPool> pools) {
    Map<String, List<String>> lists = new LinkedHashMap<>();
    for (ScoredPool pool : pools) {
      if (pool.passages().isEmpty()) continue;
      List<String> pids = pool.ranked().stream().map(ScoredPool.Passage::pid).toList();
      if (lists.put(pool.qid(), pids) != null) {
        throw new IllegalArgumentException("query %s has two pools".formatted(pool.qid()));
      }
    }
    return new Run(lists);
  }

  /** Reads a run file of any of the known forms; {@link RunFormat} says how they are told apart. */
  public static Run read(Path file) {
    return RunReader.read(file).run();
  }
}
