package org.dyr.ranker.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Every expected figure is worked out by hand beside the case. */
class MetricsTest {
  private static final double EXACT = 1e-15;

  private static Qrels qrels(Map<String, Map<String, Integer>> grades) {
    return new Qrels(grades);
  }

  private static double log2(double x) {
    return Math.log(x) / Math.log(2);
  }

  @Test void oneQueryByHand() {
    // Relevant a, b, c; the list finds a at 2 and c at 4, and never b.
    Metrics m = Metrics.compute(qrels(Map.of("q", Map.of("a", 1, "b", 1, "c", 1))),
        new Run(Map.of("q", List.of("x", "a", "y", "c"))), 1);
    Measures got = m.overQueriesInBoth();
    assertEquals(0.5, got.mrr10(), EXACT);
    assertEquals(0.5, got.mrr100(), EXACT);
    assertEquals((1 / 2.0 + 2 / 4.0) / 3, got.map(), EXACT);
    assertEquals(2 / 3.0, got.recall100(), EXACT);
    double dcg = 1 / log2(3) + 1 / log2(5);
    assertEquals(dcg / (1 + 1 / log2(3) + 1 / log2(4)), got.ndcg10(), EXACT);
  }

  @Test void gradesAreTheGainAndNegativeOnesAreNone() {
    // Order of grades in the list: 1, -1, 3, not judged, 0. Best order: 3, 2, 1 (the 2 is not in the list).
    Qrels qrels = qrels(Map.of("q", Map.of("one", 1, "bad", -1, "three", 3, "zero", 0, "two", 2)));
    Run run = new Run(Map.of("q", List.of("one", "bad", "three", "new", "zero")));
    Measures from1 = Metrics.compute(qrels, run, 1).overJudgedQueries();
    Measures from2 = Metrics.compute(qrels, run, 2).overJudgedQueries();
    double expected = (1 / log2(2) + 3 / log2(4)) / (3 / log2(2) + 2 / log2(3) + 1 / log2(4));
    assertEquals(expected, from1.ndcg10(), EXACT);
    assertEquals(expected, from2.ndcg10(), EXACT);
    assertEquals(1.0, from1.mrr10(), EXACT);
    assertEquals(1 / 3.0, from2.mrr10(), EXACT);
    assertEquals(2 / 3.0, from1.recall100(), EXACT);
    assertEquals((1 + 2 / 3.0) / 3, from1.map(), EXACT);
  }

  @Test void missingQueriesCountOnlyAmongTheJudged() {
    Map<String, Map<String, Integer>> judged = new LinkedHashMap<>();
    judged.put("found", Map.of("a", 1));
    judged.put("missing", Map.of("b", 1));
    judged.put("hopeless", Map.of("c", 0)); // judged, nothing relevant: counts 0 in both averages
    Metrics m = Metrics.compute(qrels(judged),
        new Run(Map.of("found", List.of("a"), "hopeless", List.of("c"), "stranger", List.of("a"))), 1);
    assertEquals(3, m.judgedQueries());
    assertEquals(1, m.judgedWithoutRelevant());
    assertEquals(3, m.runQueries());
    assertEquals(2, m.queriesInBoth());
    assertEquals(1 / 2.0, m.overQueriesInBoth().mrr10(), EXACT);
    assertEquals(1 / 3.0, m.overJudgedQueries().mrr10(), EXACT);
    assertEquals(1 / 2.0, m.overQueriesInBoth().ndcg10(), EXACT);
    assertEquals(1 / 3.0, m.overJudgedQueries().recall100(), EXACT);
  }

  @Test void depthsEndWhereTheirNamesSay() {
    for (int[] c : new int[][] {{10, 1, 1}, {11, 0, 1}, {100, 0, 1}, {101, 0, 0}}) {
      List<String> list = new ArrayList<>();
      for (int rank = 1; rank <= 200; rank++) list.add(rank == c[0] ? "a" : "x" + rank);
      Measures got = Metrics.compute(qrels(Map.of("q", Map.of("a", 1))), new Run(Map.of("q", list)), 1)
          .overJudgedQueries();
      assertEquals(c[1] / (double) c[0], got.mrr10(), EXACT);
      assertEquals(c[2] / (double) c[0], got.mrr100(), EXACT);
      assertEquals(c[1] / log2(c[0] + 1), got.ndcg10(), EXACT);
      assertEquals(c[2], got.recall100(), EXACT);
      assertEquals(1.0 / c[0], got.map(), EXACT);
    }
  }

  @Test void equalScoresRankByFallingId() {
    ScoredPool pool = new ScoredPool("q", List.of(new ScoredPool.Passage("late", -1f), new ScoredPool.Passage("b", 0f),
        new ScoredPool.Passage("a", -0f), new ScoredPool.Passage("first", 2f), new ScoredPool.Passage("c", 0f)));
    assertEquals(List.of("first", "c", "b", "a", "late"), Run.of(List.of(pool)).lists().get("q"));
  }

  @Test void idsAreComparedAsTheirBytes() {
    // As UTF-16 the surrogates of U+1F600 come before U+FF21; as UTF-8, which trec_eval compares, after it.
    List<String> falling = List.of("\uD83D\uDE00", "\uFF21", "z", "p9", "p10", "p1", "P");
    List<ScoredPool.Passage> offered = falling.stream().sorted().map(p -> new ScoredPool.Passage(p, 1f)).toList();
    assertEquals(falling, Run.of(List.of(new ScoredPool("q", offered))).lists().get("q"));
  }

  @Test void refusesWhatHasNoMeaning() {
    Qrels qrels = qrels(Map.of("q1", Map.of("a", 1)));
    Exception apart = assertThrows(IllegalArgumentException.class,
        () -> Metrics.compute(qrels, new Run(Map.of("q2", List.of("a"))), 1));
    assertTrue(apart.getMessage().contains("q1") && apart.getMessage().contains("q2"), apart.getMessage());
    assertThrows(IllegalArgumentException.class,
        () -> Metrics.compute(qrels, new Run(Map.of("q1", List.of("a"))), 0));
    ScoredPool nan = new ScoredPool("q", List.of(new ScoredPool.Passage("p", Float.NaN)));
    assertThrows(IllegalArgumentException.class, () -> Run.of(List.of(nan)));
  }

  @Test void reportNamesTheDenominators() throws Exception {
    Metrics m = Metrics.compute(qrels(Map.of("q", Map.of("a", 1), "r", Map.of("a", 1), "s", Map.of("a", 1))),
        new Run(Map.of("q", List.of("a"))), 1);
    JsonNode json = new ObjectMapper().readTree(MetricsReport.json(m));
    assertEquals(1.0, json.at("/over_queries_in_both/MRR@10").asDouble());
    assertEquals(0.3333333333333333, json.at("/over_judged_queries/MRR@100").asDouble());
    assertEquals(3, json.at("/queries_judged").asInt());
    assertEquals(1, json.at("/queries_in_both").asInt());
    String table = MetricsReport.table(m);
    assertTrue(table.contains("MRR@10      1.0                     0.3333333333333333\n"), table);
  }
}
