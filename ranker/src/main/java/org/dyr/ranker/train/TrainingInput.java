package org.dyr.ranker.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dyr.ranker.data.JsonLinesGroups;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.group.Group;
import org.dyr.ranker.group.GroupSampler;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import org.dyr.ranker.text.Tokenizer;

/**
 * What a run reads: an endless stream of groups, epoch after epoch, each group a function of its place in the stream;
 * and the dev queries.
 */
final class TrainingInput {
  /** The dev_split of a run that is not evaluated. */
  private static final String NO_SPLIT = "none";

  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  final TrainingSet set;
  final GroupSampler sampler;
  final PairEncoder encoder;
  final TokenCache tokens;
  final Optional<List<Query>> dev;

  TrainingInput(TrainConfig config, Tokenizer tokenizer) {
    if (config.data().isPresent()) {
      set = TrainingSet.from(RankingData.load(config.data().get(), config.trainSplit()), config.relevantFrom());
      dev = config.devSplit().equals(NO_SPLIT) ? Optional.empty() : Optional.of(dev(config));
    } else {
      set = JsonLinesGroups.load(config.groups().orElseThrow());
      dev = Optional.empty();
    }
    sampler = new GroupSampler(set, config.groupSize(), config.seed(), config.shuffle());
    encoder = new PairEncoder(tokenizer, config.maxLength(), config.maxQueryLength());
    tokens = new TokenCache(tokenizer, config.maxLength(), TOKEN_CACHE_BYTES);
  }

  private static List<Query> dev(TrainConfig config) {
    List<Query> queries = RankingData.load(config.data().orElseThrow(), config.devSplit()).queries();
    return config.evalQueries() == 0 ? queries : queries.subList(0, Math.min(config.evalQueries(), queries.size()));
  }

  /** Groups of one pass over the training queries. */
  int groupsPerEpoch() {
    return sampler.groupsPerEpoch();
  }

  /** The epoch, from 0, that a place in the stream lies in. */
  long epochOf(long place) {
    return place / groupsPerEpoch();
  }

  /** The groups at {@code from..from+count-1} of the stream, encoded, each with its positive first. */
  List<EncodedGroup> groups(long from, int count) {
    List<EncodedGroup> groups = new ArrayList<>(count);
    for (long place = from; place < from + count; place++) {
      Group group = sampler.group(epochOf(place), (int) (place % groupsPerEpoch()));
      int[] query = tokens.ids(group.query().query());
      List<EncodedPair> pairs = new ArrayList<>();
      for (String passage : group.passages()) pairs.add(encoder.encode(query, tokens.ids(passage)));
      int[] retrieval = new int[pairs.size()];
      System.arraycopy(group.negatives(), 0, retrieval, 1, pairs.size() - 1);
      groups.add(new EncodedGroup(pairs, retrieval));
    }
    return groups;
  }
}
