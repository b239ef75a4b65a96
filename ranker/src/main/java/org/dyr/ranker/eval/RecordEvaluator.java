package org.dyr.ranker.eval;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.dyr.nn.BertConfig;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.MindRecordPairs;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;

/**
 * The original's evaluation: ready-made pairs in MindRecord files, a file with the ids of each row, and judgements.
 * Rows are read as they are scored; what stays in memory are ids and scores, not tokens.
 */
public final class RecordEvaluator implements AutoCloseable {
  private static final int PAIRS_AT_ONCE = 2048;

  private final MindRecordPairs rows;
  private final PairIds ids;
  private final Qrels qrels;
  private final int longest;

  /**
   * Opens the three.
   *
   * @param records a MindRecord file, or a folder of them
   * @param model what is to score them: how long its pairs are, and how many words it embeds
   * @throws DataException when a file is missing or wrong, or there are not as many ids as rows
   * @throws org.dyr.formats.FormatException when a MindRecord file is damaged or holds no pairs
   */
  public RecordEvaluator(Path records, Path ids, Path qrels, BertConfig model) {
    this.ids = PairIds.read(ids);
    this.qrels = Qrels.read(qrels);
    longest = model.maxPositions();
    rows = MindRecordPairs.open(records, model.vocabSize());
    if (rows.count() != this.ids.pairs().size()) {
      try (rows) {
        throw new DataException(ids, "has %,d lines for the %,d rows of %s; line n says what row n is".formatted(
            this.ids.pairs().size(), rows.count(), records));
      }
    }
  }

  /** The number of pairs. */
  public int count() {
    return ids.pairs().size();
  }

  public Qrels qrels() {
    return qrels;
  }

  /** Whether any query has both rows and judgements. */
  public boolean isJudged() {
    return ids.pairs().stream().anyMatch(pair -> qrels.grades().containsKey(pair.qid()));
  }

  /**
   * Scores all pairs.
   *
   * @param scores where {@code qid<TAB>pid<TAB>score} goes, nine significant digits, in the order of the rows; the file
   *     comes whole or not at all
   * @param progress is told how many pairs are done
   * @return each query's passages with their scores, in the order of the rows
   */
  public List<ScoredPool> score(Scorer scorer, Optional<Path> scores, IntConsumer progress) throws IOException {
    Map<String, List<ScoredPool.Passage>> pools = new LinkedHashMap<>();
    if (scores.isPresent()) AtomicText.write(scores.get(), out -> score(scorer, out, pools, progress));
    else score(scorer, Writer.nullWriter(), pools, progress);
    List<ScoredPool> scored = new ArrayList<>();
    pools.forEach((qid, passages) -> scored.add(new ScoredPool(qid, passages)));
    return scored;
  }

  private void score(Scorer scorer, Writer out, Map<String, List<ScoredPool.Passage>> pools, IntConsumer progress)
      throws IOException {
    for (int from = 0; from < count(); from += PAIRS_AT_ONCE) {
      int to = Math.min(count(), from + PAIRS_AT_ONCE);
      List<EncodedPair> pairs = new ArrayList<>(to - from);
      for (int row = from; row < to; row++) pairs.add(rows.pair(row, longest));
      float[] logits = scorer.score(pairs);
      for (int row = from; row < to; row++) {
        PairIds.Pair id = ids.pairs().get(row);
        float logit = logits[row - from];
        out.append(id.qid()).append('\t').append(id.pid()).append('\t').append(RunWriter.score(logit)).append('\n');
        pools.computeIfAbsent(id.qid(), q -> new ArrayList<>()).add(new ScoredPool.Passage(id.pid(), logit));
      }
      progress.accept(to);
    }
  }

  /** The line that the original prints: both measures over the queries that have judgements and scores. */
  public static String originalLine(Metrics m) {
    return String.format(Locale.ROOT, "mrr@100:%s, mrr@10:%s", m.overQueriesInBoth().mrr100(),
        m.overQueriesInBoth().mrr10());
  }

  /** What is otherwise than in the original's script, which does not look at grades; empty where nothing is. */
  public Optional<String> gradesNote(int relevantFrom) {
    long below = qrels.grades().values().stream().flatMap(of -> of.values().stream()).filter(g -> g < relevantFrom)
        .count();
    return below == 0 ? Optional.empty() : Optional.of(("%,d judgements have a grade below %d and do not count as "
        + "relevant; the original's script counts every judged passage").formatted(below, relevantFrom));
  }

  @Override public void close() {
    rows.close();
  }
}
