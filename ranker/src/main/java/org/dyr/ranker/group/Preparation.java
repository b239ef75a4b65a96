package org.dyr.ranker.group;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.formats.mindrecord.MindRecordWriter;
import org.dyr.formats.mindrecord.Row;
import org.dyr.formats.mindrecord.WriterOptions;
import org.dyr.ranker.data.GroupRow;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;

/** Writes the groups of an epoch, encoded, into MindRecord files. */
public final class Preparation {
  private static final int GROUPS_AT_ONCE = 64;

  private final GroupSampler sampler;
  private final TokenCache tokens;
  private final PairEncoder encoder;

  public Preparation(GroupSampler sampler, TokenCache tokens, PairEncoder encoder) {
    this.sampler = sampler;
    this.tokens = tokens;
    this.encoder = encoder;
  }

  /**
   * Writes all groups of an epoch in its order, shard after shard, as many in each as in the others or one less.
   *
   * @param packed without padding; otherwise every pair is padded to the encoder's {@code maxLength}
   * @return the data files
   * @throws IllegalArgumentException when a group does not fit in a page of 32 MiB
   */
  public List<Path> write(Path out, long epoch, int shards, boolean packed) {
    int groups = sampler.groupsPerEpoch();
    try (MindRecordWriter writer = MindRecordWriter.create(out, GroupRow.schema(packed),
        WriterOptions.standard(shards))) {
      for (int shard = 0; shard < shards; shard++) {
        int end = (int) ((shard + 1L) * groups / shards);
        for (int from = (int) ((long) shard * groups / shards); from < end; from += GROUPS_AT_ONCE) {
          List<Row> rows = new ArrayList<>(GROUPS_AT_ONCE);
          for (int i = from; i < Math.min(end, from + GROUPS_AT_ONCE); i++) {
            List<EncodedPair> pairs = encode(sampler.group(epoch, i));
            rows.add(packed ? GroupRow.packed(pairs) : GroupRow.padded(pairs, encoder.maxLength()));
          }
          writer.write(shard, rows);
        }
      }
      writer.finish();
      return writer.files();
    }
  }

  /** The pairs of a group, the positive first. */
  private List<EncodedPair> encode(Group group) {
    int[] query = tokens.ids(group.query().query());
    List<EncodedPair> pairs = new ArrayList<>();
    for (String passage : group.passages()) pairs.add(encoder.encode(query, tokens.ids(passage)));
    return pairs;
  }
}
