package org.dyr.ranker.data;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.dyr.formats.FormatException;
import org.dyr.formats.mindrecord.MindRecordReader;
import org.dyr.ranker.text.EncodedPair;

/**
 * Ready-made pairs in MindRecord files, one a row, as the original evaluates them: {@code input_ids},
 * {@code input_mask} and {@code segment_ids} of one query and one passage, padded or not. A row is read when asked for.
 * Safe for use by many threads.
 */
public final class MindRecordPairs implements AutoCloseable {
  private final MindRecordReader reader;
  private final int words;

  private MindRecordPairs(MindRecordReader reader, int words) {
    this.reader = reader;
    this.words = words;
  }

  /**
   * Opens a data set and holds its indexes, where there are any, against its pages.
   *
   * @param path a file, which brings all shards that its header names; or a folder of such files, sorted by name
   * @param words that the model embeds (its vocab_size): what token ids stay below
   * @throws FormatException when a file is damaged or missing, the files do not belong together, an index disagrees, or
   *     they have no such columns
   * @throws DataException for a folder without such files
   * @throws UncheckedIOException when a file cannot be read
   */
  public static MindRecordPairs open(Path path, int words) {
    return new MindRecordPairs(MindRecordFiles.open(path, GroupRow::pairProblem), words);
  }

  /** The number of pairs. */
  public long count() {
    return reader.count();
  }

  /**
   * A pair, without padding.
   *
   * @param index from 0 to below {@link #count}
   * @throws FormatException naming file and row when the row is damaged, holds more than one pair, more than
   *     {@code longest} tokens, or a token that the model does not embed
   */
  public EncodedPair pair(long index, int longest) {
    try {
      EncodedPair pair = GroupRow.pair(reader.row(index), words);
      if (pair.length() <= longest) return pair;
      throw new IllegalArgumentException("has %d tokens, the model reads %d at most".formatted(pair.length(), longest));
    } catch (IllegalArgumentException e) {
      throw new FormatException(reader.fileOf(index), "row " + reader.rowInFile(index), e.getMessage(), e);
    }
  }

  @Override public void close() {
    reader.close();
  }
}
