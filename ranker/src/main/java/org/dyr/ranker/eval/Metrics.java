package org.dyr.ranker.eval;

import java.util.List;
import java.util.Map;

/**
 * What a run is worth against judgements, averaged in two ways that are often confused.
 *
 * @param relevantFrom the lowest grade that counts as relevant
 * @param judgedQueries queries in the judgements
 * @param judgedWithoutRelevant those of them without any relevant passage; they count, with 0, in both averages
 * @param runQueries queries in the run
 * @param queriesInBoth queries in both
 * @param overQueriesInBoth averages over the queries in both files, as DYR's own script has them
 * @param overJudgedQueries averages over all judged queries, a query without a list counting 0, as MS MARCO's script
 *     (and trec_eval -c) has them
 */
public record Metrics(int relevantFrom, int judgedQueries, int judgedWithoutRelevant, int runQueries, int queriesInBoth,
    Measures overQueriesInBoth, Measures overJudgedQueries) {

  /**
   * Measures a run.
   *
   * @throws IllegalArgumentException when {@code relevantFrom} is below 1, or no query is in both
   */
  public static Metrics compute(Qrels qrels, Run run, int relevantFrom) {
    if (relevantFrom < 1) {
      throw new IllegalArgumentException(
          "relevant-from must be at least 1 (0 is judged not relevant), not " + relevantFrom);
    }
    Measures sum = Measures.ZERO; // in the order of the judgements, whatever the order of the run
    int both = 0;
    int withoutRelevant = 0;
    for (Map.Entry<String, Map<String, Integer>> judged : qrels.grades().entrySet()) {
      if (judged.getValue().values().stream().noneMatch(grade -> grade >= relevantFrom)) withoutRelevant++;
      List<String> list = run.lists().get(judged.getKey());
      if (list == null) continue;
      both++;
      sum = sum.plus(Measures.of(judged.getValue(), list, relevantFrom));
    }
    if (both == 0) {
      throw new IllegalArgumentException(
          "no query is both judged and in the run (judged: %s, ...; run: %s, ...); the files do not belong together"
              .formatted(first(qrels.grades()), first(run.lists())));
    }
    int judged = qrels.grades().size();
    return new Metrics(relevantFrom, judged, withoutRelevant, run.lists().size(), both,
        sum.dividedBy(both), sum.dividedBy(judged));
  }

  private static String first(Map<String, ?> map) {
    return map.isEmpty() ? "none" : map.keySet().iterator().next();
  }
}
