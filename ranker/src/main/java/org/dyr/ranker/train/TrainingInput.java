package org.dyr.ranker.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dyr.ranker.data.JsonLinesGroups;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.RecordEvaluator;
import org.dyr.ranker.eval.Run;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;

/**
 * What a run reads: an endless stream of groups, epoch after epoch, each group a function of its place in the stream;
 * and what it is evaluated on.
 */
final class TrainingInput implements AutoCloseable {
  /** The dev_split of a run that is not evaluated. */
  private static final String NO_SPLIT = "none";

  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  /** What a model is measured on. */
  interface Dev {
    Metrics measure(Scorer scorer) throws IOException;
  }

  final Optional<Dev> dev;
  private final Optional<RecordEvaluator> records;
  private final PairEncoder encoder; // null with tokens where there are no texts and no vocabulary
  private final TokenCache tokens;
  private final GroupSource source;

  /**
   * @throws ConfigException when there is something to evaluate on, and no query of it is judged
   * @throws org.dyr.ranker.data.DataException when data or groups are missing or wrong
   * @throws org.dyr.ranker.model.ModelException when there are texts and the model has no vocabulary
   */
  TrainingInput(TrainConfig config, Model model) {
    boolean texts = config.data().isPresent() || !RecordGroups.reads(config.groups().orElseThrow());
    if (texts || model.readsText()) {
      encoder = new PairEncoder(model.tokenizer(), config.maxLength(), config.maxQueryLength());
      tokens = new TokenCache(model.tokenizer(), config.maxLength(), TOKEN_CACHE_BYTES);
    } else {
      encoder = null;
      tokens = null;
    }
    EvalFiles files = config.evalFiles();
    records = files.records().map(path -> new RecordEvaluator(path, files.ids().orElseThrow(),
        files.qrels().orElseThrow(), model.bert().config()));
    boolean complete = false;
    try {
      if (records.isPresent() && !records.get().isJudged()) {
        throw new ConfigException("", ("no query of eval_qrels %s is in eval_ids %s, so the run cannot be evaluated: "
            + "name files that belong together, or leave out eval_records, eval_ids and eval_qrels").formatted(
            files.qrels().get(), files.ids().get()));
      }
      source = source(config, model.bert().config().vocabSize());
      dev = records.<Dev>map(e -> scorer -> Metrics.compute(e.qrels(),
          Run.of(e.score(scorer, files.scores(), done -> {})), config.relevantFrom())).or(() -> split(config));
      complete = true;
    } finally {
      if (!complete) records.ifPresent(RecordEvaluator::close);
    }
  }

  private Optional<Dev> split(TrainConfig config) {
    if (config.data().isEmpty() || config.devSplit().equals(NO_SPLIT)) return Optional.empty();
    List<Query> queries = dev(config);
    if (queries.stream().noneMatch(q -> !q.judgements().isEmpty() && !q.pool().isEmpty())) {
      throw new ConfigException("", ("none of %,d queries of dev_split %s in %s is judged and has a pool, so the run "
          + "cannot be evaluated: mend qrels.%2$s.tsv or its pool, raise eval_queries (%d), or leave evaluation out "
          + "(dev_split: %s)").formatted(queries.size(), config.devSplit(), config.data().get(), config.evalQueries(),
          NO_SPLIT));
    }
    return Optional.of(scorer -> Metrics.compute(PoolEvaluator.qrels(queries),
        Run.of(new PoolEvaluator(scorer, encoder, tokens).score(queries, done -> {})), config.relevantFrom()));
  }

  private GroupSource source(TrainConfig config, int words) {
    if (config.data().isPresent()) {
      RankingData data = RankingData.load(config.data().get(), config.trainSplit());
      boolean ranked = data.poolFile().getFileName().toString().startsWith("bm25.");
      if (!ranked && config.compression().levels().stream().anyMatch(l -> l.scorer() == Compression.Scorer.RETRIEVAL)) {
        throw new ConfigException("", ("compression.levels: retrieval needs ranks, and %s has none; dyr mine makes a "
            + "bm25.%s.tsv").formatted(data.poolFile(), config.trainSplit()));
      }
      return new TextGroups(TrainingSet.from(data, config.relevantFrom()), config, encoder, tokens);
    }
    Path groups = config.groups().orElseThrow();
    return RecordGroups.reads(groups) ? new RecordGroups(groups, config, words)
        : new TextGroups(JsonLinesGroups.load(groups), config, encoder, tokens);
  }

  private static List<Query> dev(TrainConfig config) {
    List<Query> queries = RankingData.load(config.data().orElseThrow(), config.devSplit()).queries();
    return config.evalQueries() == 0 ? queries : queries.subList(0, Math.min(config.evalQueries(), queries.size()));
  }

  /** Groups of one pass over the training queries. */
  int groupsPerEpoch() {
    return source.perEpoch();
  }

  /** Passages of the largest group, as far as that is known without reading all. */
  int largestGroup() {
    return source.largestGroup();
  }

  /** The epoch, from 0, that a place in the stream lies in. */
  long epochOf(long place) {
    return place / groupsPerEpoch();
  }

  /** The groups at {@code from..from+count-1} of the stream, encoded, each with its positive first. */
  List<EncodedGroup> groups(long from, int count) {
    List<EncodedGroup> groups = new ArrayList<>(count);
    for (long place = from; place < from + count; place++) {
      groups.add(source.group(epochOf(place), (int) (place % groupsPerEpoch())));
    }
    return groups;
  }

  /** What the run reads, a line each. */
  List<String> description() {
    List<String> lines = new ArrayList<>(source.description());
    records.ifPresent(e -> lines.add("evaluation: %,d pairs, %,d judged queries".formatted(e.count(),
        e.qrels().grades().size())));
    return lines;
  }

  /** Passages and queries cut so far, in training and evaluation. */
  String truncation() {
    return "%,d passages and %,d queries were cut to fit".formatted(encoder == null ? 0 : encoder.truncatedPassages(),
        encoder == null ? 0 : encoder.truncatedQueries());
  }

  @Override public void close() {
    records.ifPresent(RecordEvaluator::close);
    source.close();
  }
}
