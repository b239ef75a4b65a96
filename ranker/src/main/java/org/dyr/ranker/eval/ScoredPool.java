package org.dyr.ranker.eval;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The passages of one query with the scores that the model gave them, in the order in which they were offered. */
public record ScoredPool(String qid, List<Passage> passages) {

  /** One passage and its score (a raw logit; higher is better). */
  public record Passage(String pid, float score) {}

  public ScoredPool {
    passages = List.copyOf(passages);
  }

  /**
   * The passages by falling score, equal scores by falling id, as trec_eval does.
   *
   * @throws IllegalArgumentException when a score is NaN or infinite, or a passage occurs twice
   */
  public List<Passage> ranked() {
    Set<String> seen = new HashSet<>();
    for (Passage p : passages) {
      if (!Float.isFinite(p.score)) {
        throw new IllegalArgumentException("query %s, passage %s: the score is %s".formatted(qid, p.pid, p.score));
      }
      if (!seen.add(p.pid)) {
        throw new IllegalArgumentException("query %s: passage %s occurs twice in the pool".formatted(qid, p.pid));
      }
    }
    return passages.stream().sorted((a, b) -> Run.order(a.score, a.pid, b.score, b.pid)).toList();
  }
}
