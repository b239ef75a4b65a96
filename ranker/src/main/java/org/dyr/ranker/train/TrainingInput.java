package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dyr.ranker.data.JsonLinesGroups;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import org.dyr.ranker.text.Tokenizer;

/**
 * What a run reads: an endless stream of groups, epoch after epoch, each group a function of its place in the stream;
 * and the dev queries.
 */
final class TrainingInput implements AutoCloseable {
  /** The dev_split of a run that is not evaluated. */
  private static final String NO_SPLIT = "none";

  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  final PairEncoder encoder;
  final TokenCache tokens;
  final Optional<List<Query>> dev;
  private final GroupSource source;

  TrainingInput(TrainConfig config, Tokenizer tokenizer) {
    encoder = new PairEncoder(tokenizer, config.maxLength(), config.maxQueryLength());
    tokens = new TokenCache(tokenizer, config.maxLength(), TOKEN_CACHE_BYTES);
    source = source(config);
    dev = config.data().isEmpty() || config.devSplit().equals(NO_SPLIT) ? Optional.empty() : Optional.of(dev(config));
  }

  private GroupSource source(TrainConfig config) {
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
    return RecordGroups.reads(groups) ? new RecordGroups(groups, config)
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
    return source.description();
  }

  @Override public void close() {
    source.close();
  }
}
