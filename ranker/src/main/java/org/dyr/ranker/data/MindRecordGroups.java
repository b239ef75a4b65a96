package org.dyr.ranker.data;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.dyr.formats.FormatException;
import org.dyr.formats.mindrecord.MindRecordReader;
import org.dyr.ranker.text.EncodedPair;

/**
 * Ready-made groups of encoded pairs in MindRecord files, as they are prepared for DYR under MindSpore (padded) or by
 * {@code dyr prepare}; {@link GroupRow} says how they are laid out. Groups are read when asked for. Safe for use by
 * many threads.
 */
public final class MindRecordGroups implements AutoCloseable {
  private final MindRecordReader reader;
  private final int words;
  private final boolean packed;

  private MindRecordGroups(MindRecordReader reader, int words) {
    this.reader = reader;
    this.words = words;
    packed = GroupRow.isPacked(reader.schema());
  }

  /**
   * Opens a data set and holds its indexes, where there are any, against its pages.
   *
   * @param path a file, which brings all shards that its header names; or a folder, of which every file is taken whose
   *     name contains {@code mindrecord} and does not end in {@code .db}, sorted by name
   * @param words that the model embeds (its vocab_size): what token ids stay below
   * @throws FormatException when a file is damaged or missing, the files do not belong together, an index disagrees, or
   *     they are not groups
   * @throws DataException for a folder without such files
   * @throws UncheckedIOException when a file cannot be read
   */
  public static MindRecordGroups open(Path path, int words) {
    MindRecordReader reader = MindRecordFiles.open(path, GroupRow::problem);
    if (reader.count() <= Integer.MAX_VALUE) return new MindRecordGroups(reader, words);
    try (reader) {
      throw new DataException(path, reader.count() + " groups are too many");
    }
  }

  /** The number of groups. */
  public int count() {
    return (int) reader.count();
  }

  /**
   * The pairs of a group, without padding, the positive first and the others in their order in the file.
   *
   * @param index from 0 to below {@link #count}
   * @throws FormatException naming file and row when the row is damaged, is no group, or has a token that the model does
   *     not embed
   */
  public List<EncodedPair> group(long index) {
    try {
      return GroupRow.group(reader.row(index), packed, words);
    } catch (IllegalArgumentException e) {
      throw new FormatException(reader.fileOf(index), "row " + reader.rowInFile(index), e.getMessage(), e);
    }
  }

  @Override public void close() {
    reader.close();
  }
}
