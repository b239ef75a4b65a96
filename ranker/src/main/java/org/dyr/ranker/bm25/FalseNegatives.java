package org.dyr.ranker.bm25;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.Qrels;
import org.dyr.ranker.eval.ScoredPool;

/**
 * Takes probable false negatives out of what was found: passages that nobody judged relevant and that a model scores
 * nearly as high as a relevant one. A passage goes when its logit is greater than the query's best relevant logit minus
 * a margin. Queries without a relevant passage keep all they have.
 */
public final class FalseNegatives {
  private final PoolEvaluator evaluator;
  private final Qrels qrels;
  private final int relevantFrom;
  private final double margin;
  private long negatives;
  private long dropped;
  private int withoutRelevant;

  /**
   * @param relevantFrom the lowest grade that counts as relevant
   * @param margin in logits; finite
   */
  public FalseNegatives(PoolEvaluator evaluator, Qrels qrels, int relevantFrom, double margin) {
    if (!Double.isFinite(margin)) throw new IllegalArgumentException("margin must be a finite number, not " + margin);
    this.evaluator = evaluator;
    this.qrels = qrels;
    this.relevantFrom = relevantFrom;
    this.margin = margin;
  }

  /**
   * The lists without those passages, in the same order, ranks as they were.
   *
   * @param passages gives the passage of an id, null where there is none
   * @param pulse is called every few thousand passages; what it throws ends the work
   */
  List<Miner.Found> without(List<Miner.Found> found, Function<String, Passage> passages, Runnable pulse) {
    List<Query> queries = new ArrayList<>();
    for (Miner.Found f : found) {
      if (!f.hits().isEmpty() && !relevant(f.qid()).isEmpty()) queries.add(query(f, passages));
    }
    Map<String, Map<String, Float>> logits = new HashMap<>(); // qid to (pid to logit)
    for (ScoredPool pool : evaluator.score(queries, done -> pulse.run())) {
      logits.put(pool.qid(), pool.passages().stream()
          .collect(Collectors.toMap(ScoredPool.Passage::pid, ScoredPool.Passage::score)));
    }
    return found.stream().map(f -> filter(f, logits.get(f.qid()))).toList();
  }

  /** The query with all that must be scored: what was found, and the relevant passages among it or not. */
  private Query query(Miner.Found f, Function<String, Passage> passages) {
    Map<String, Passage> pool = new LinkedHashMap<>();
    for (Miner.Hit hit : f.hits()) pool.put(hit.pid(), passages.apply(hit.pid()));
    for (String pid : relevant(f.qid())) {
      Passage p = passages.apply(pid);
      if (p == null) {
        throw new DataException(
            "passage \"%s\", judged for query \"%s\", is not in the collection".formatted(pid, f.qid()));
      }
      pool.put(pid, p);
    }
    return new Query(f.qid(), f.text(), qrels.of(f.qid()), List.copyOf(pool.values()));
  }

  private Miner.Found filter(Miner.Found f, Map<String, Float> logits) {
    Set<String> relevant = relevant(f.qid());
    if (relevant.isEmpty()) withoutRelevant++;
    if (logits == null) return f;
    double best = relevant.stream().mapToDouble(logits::get).max().orElseThrow();
    List<Miner.Hit> kept = new ArrayList<>();
    for (Miner.Hit hit : f.hits()) {
      boolean negative = !relevant.contains(hit.pid());
      boolean goes = negative && logits.get(hit.pid()) > best - margin;
      if (negative) negatives++;
      if (goes) dropped++;
      else kept.add(hit);
    }
    return new Miner.Found(f.qid(), f.text(), kept);
  }

  private Set<String> relevant(String qid) {
    return qrels.of(qid).entrySet().stream().filter(judged -> judged.getValue() >= relevantFrom).map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  /** Passages looked at so far that nobody judged relevant. */
  public long negatives() {
    return negatives;
  }

  /** Those of them that were taken out. */
  public long dropped() {
    return dropped;
  }

  /** Queries so far without a relevant passage. */
  public int withoutRelevant() {
    return withoutRelevant;
  }
}
