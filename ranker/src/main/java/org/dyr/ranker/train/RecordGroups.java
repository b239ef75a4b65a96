package org.dyr.ranker.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dyr.formats.mindrecord.MindRecordInspector;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.MindRecordGroups;
import org.dyr.ranker.group.EpochOrder;
import org.dyr.ranker.text.EncodedPair;

/** Ready-made groups of tokens in MindRecord files, read when they are asked for; group_size is that of each row. */
final class RecordGroups implements GroupSource {
  private final Path path;
  private final MindRecordGroups rows;
  private final EpochOrder order;
  private final int longest;

  /** @param words that the model embeds */
  RecordGroups(Path path, TrainConfig config, int words) {
    this.path = path;
    longest = config.maxLength();
    rows = MindRecordGroups.open(path, words);
    if (rows.count() == 0) {
      rows.close();
      throw new DataException(path, "has no groups to train on");
    }
    order = new EpochOrder(config.seed(), rows.count(), config.shuffle());
  }

  /**
   * Whether the path is a folder of MindRecord files, or such a file; JSON lines are not.
   *
   * @throws DataException when nothing is there
   */
  static boolean reads(Path path) {
    if (!Files.exists(path)) throw new DataException(path, "no such file or folder");
    try {
      return Files.isDirectory(path) || Files.isRegularFile(path) && new MindRecordInspector().reads(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override public int perEpoch() {
    return rows.count();
  }

  @Override public EncodedGroup group(long epoch, int index) {
    int row = order.at(epoch, index);
    List<EncodedPair> pairs = rows.group(row);
    for (EncodedPair p : pairs) {
      if (p.length() > longest) {
        throw new DataException(path, "a pair of group %d has %d tokens, more than max_length %d".formatted(row,
            p.length(), longest));
      }
    }
    return EncodedGroup.of(pairs);
  }

  /**
   * That of the first row: whoever makes such files gives all groups one size, and to look at every row would be to read
   * all of the data. Where a later group is larger, a workspace grows when it comes.
   */
  @Override public int largestGroup() {
    return rows.group(0).size();
  }

  @Override public List<String> description() {
    return List.of("data: %,d groups an epoch from %s".formatted(perEpoch(), path));
  }

  @Override public void close() {
    rows.close();
  }
}
