package org.dyr.ranker.train;

import java.util.ArrayList;
import java.util.List;
import org.dyr.ranker.data.TrainingSet;
import org.dyr.ranker.group.Group;
import org.dyr.ranker.group.GroupSampler;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;

/** Groups drawn from texts, encoded when they are asked for. */
final class TextGroups implements GroupSource {
  private final TrainingSet set;
  private final GroupSampler sampler;
  private final PairEncoder encoder;
  private final TokenCache tokens;
  private final int negatives;
  private final Compression compression;

  TextGroups(TrainingSet set, TrainConfig config, PairEncoder encoder, TokenCache tokens) {
    this.set = set;
    this.encoder = encoder;
    this.tokens = tokens;
    negatives = config.groupSize() - 1;
    compression = config.compression();
    sampler = new GroupSampler(set, config.groupSize(), config.seed(), config.shuffle());
  }

  @Override public int perEpoch() {
    return sampler.groupsPerEpoch();
  }

  @Override public EncodedGroup group(long epoch, int index) {
    Group group = sampler.group(epoch, index);
    int[] query = tokens.ids(group.query().query());
    List<EncodedPair> pairs = new ArrayList<>();
    for (String passage : group.passages()) pairs.add(encoder.encode(query, tokens.ids(passage)));
    int[] retrieval = new int[pairs.size()];
    System.arraycopy(group.negatives(), 0, retrieval, 1, pairs.size() - 1);
    return new EncodedGroup(pairs, retrieval);
  }

  @Override public int largestGroup() {
    return negatives + 1;
  }

  @Override public List<String> description() {
    List<String> lines = new ArrayList<>();
    lines.add("data: %,d queries, %,d groups an epoch; left out %,d without a positive, %,d without a negative"
        .formatted(set.queries().size(), perEpoch(), set.leftOut().withoutPositive(),
            set.leftOut().withoutNegative()));
    if (set.repeated() > 0) {
      lines.add("dropped %,d passages whose text their query has already, among its positives or negatives".formatted(
          set.repeated()));
    }
    int replaced = sampler.groupsDrawnWithReplacement();
    if (replaced > 0) {
      lines.add("%,d groups an epoch have fewer than %d negatives and draw with replacement".formatted(replaced,
          negatives));
    }
    if (compression.form() != Compression.Form.NONE && compression.kept() >= negatives) {
      lines.add("nothing to compress: a group has %d negatives, and negatives_kept is %d".formatted(negatives,
          compression.kept()));
    }
    return lines;
  }
}
