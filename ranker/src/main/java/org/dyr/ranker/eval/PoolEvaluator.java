package org.dyr.ranker.eval;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;

/** Scores the pool of each query of a split with a model. */
public final class PoolEvaluator {
  private static final int PAIRS_AT_ONCE = 2048;

  private final Scorer scorer;
  private final PairEncoder encoder;
  private final TokenCache tokens;

  public PoolEvaluator(Scorer scorer, PairEncoder encoder, TokenCache tokens) {
    this.scorer = scorer;
    this.encoder = encoder;
    this.tokens = tokens;
  }

  /**
   * Scores every pool; several queries share a batch.
   *
   * @param progress is told how many queries are done
   */
  public List<ScoredPool> score(List<Query> queries, IntConsumer progress) {
    List<ScoredPool> pools = new ArrayList<>();
    for (int from = 0; from < queries.size(); ) {
      List<EncodedPair> pairs = new ArrayList<>();
      int to = from;
      for (; to < queries.size()
          && (to == from || pairs.size() + queries.get(to).pool().size() <= PAIRS_AT_ONCE); to++) {
        int[] query = tokens.ids(queries.get(to).text());
        for (Passage p : queries.get(to).pool()) pairs.add(encoder.encode(query, tokens.ids(p.text())));
      }
      float[] scores = scorer.score(pairs);
      for (int next = 0; from < to; from++) {
        List<ScoredPool.Passage> scored = new ArrayList<>();
        for (Passage p : queries.get(from).pool()) scored.add(new ScoredPool.Passage(p.id(), scores[next++]));
        pools.add(new ScoredPool(queries.get(from).id(), scored));
      }
      progress.accept(to);
    }
    return pools;
  }

  /** The judgements of these queries. */
  public static Qrels qrels(List<Query> queries) {
    Map<String, Map<String, Integer>> grades = new LinkedHashMap<>();
    for (Query q : queries) if (!q.judgements().isEmpty()) grades.put(q.id(), q.judgements());
    return new Qrels(grades);
  }
}
