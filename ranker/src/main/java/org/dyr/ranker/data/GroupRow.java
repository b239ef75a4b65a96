package org.dyr.ranker.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dyr.formats.mindrecord.Cell;
import org.dyr.formats.mindrecord.Column;
import org.dyr.formats.mindrecord.ColumnType;
import org.dyr.formats.mindrecord.Row;
import org.dyr.formats.mindrecord.Schema;
import org.dyr.ranker.text.EncodedPair;

/**
 * A group of encoded pairs as a MindRecord row, and back. There are four columns of integers, each flat. G passages of
 * {@code max_length} tokens each, padding included, are
 *
 * <pre>
 * input_ids    (G * max_length)   token ids, 0 where there is none
 * input_mask   (G * max_length)   1 where there is a token, 0 in the padding
 * segment_ids  (G * max_length)   0 up to the first [SEP], 1 after it, 0 in the padding
 * label_ids    (G)                1 for the positive, 0 for the others
 * </pre>
 *
 * <p>which is what DYR reads. The packed layout leaves the padding out. To keep the passages apart, its
 * {@code input_mask} has the number of the passage, from 1, in the place of the 1:
 *
 * <pre>
 * input_ids, input_mask, segment_ids   (tokens of the group)
 * label_ids                            (G)
 * </pre>
 *
 * <p>The schema's description says which of the two a file has.
 */
public final class GroupRow {
  private static final String INPUT_IDS = "input_ids";
  private static final String INPUT_MASK = "input_mask";
  private static final String SEGMENT_IDS = "segment_ids";
  private static final String LABEL_IDS = "label_ids";
  private static final List<String> COLUMNS = List.of(INPUT_IDS, INPUT_MASK, LABEL_IDS, SEGMENT_IDS);
  private static final List<String> PAIR_COLUMNS = List.of(INPUT_IDS, INPUT_MASK, SEGMENT_IDS);

  private static final String PADDED = "DYR groups, padded: input_ids, input_mask and segment_ids hold the passages of "
      + "a group one after another, each of max_length; label_ids has one label a passage";
  private static final String PACKED = "DYR groups, packed";
  private static final String PACKED_LAYOUT = PACKED + ": input_ids and segment_ids hold the passages of a group one "
      + "after another without padding; input_mask has, for each token, the number of its passage, from 1; label_ids "
      + "has one label a passage";

  private GroupRow() {}

  /** The schema of files with one of the layouts; ids are int32. */
  public static Schema schema(boolean packed) {
    return Schema.of(packed ? PACKED_LAYOUT : PADDED,
        COLUMNS.stream().map(name -> Column.list(name, ColumnType.INT32)).toArray(Column[]::new));
  }

  /** Whether files of this schema are packed. */
  static boolean isPacked(Schema schema) {
    return schema.description().startsWith(PACKED);
  }

  /** What keeps rows of this schema from being groups, or null. */
  static String problem(Schema schema) {
    return problem(schema, COLUMNS, "groups");
  }

  /** What keeps rows of this schema from being single pairs, or null. Labels are not needed. */
  static String pairProblem(Schema schema) {
    if (isPacked(schema)) return "has packed groups; to be evaluated, pairs stand one a row";
    return problem(schema, PAIR_COLUMNS, "pairs");
  }

  private static String problem(Schema schema, List<String> columns, String kind) {
    for (String name : columns) {
      Column column = schema.column(name);
      if (column == null) return "has no column %s; %s have %s".formatted(name, kind, String.join(", ", columns));
      if (!column.isArray() || column.type() != ColumnType.INT32 && column.type() != ColumnType.INT64) {
        return "column " + name + " is no array of int32 or int64";
      }
    }
    return null;
  }

  /** The padded row of a group whose positive comes first, every pair at most {@code maxLength} tokens long. */
  public static Row padded(List<EncodedPair> group, int maxLength) {
    return row(group, Math.multiplyExact(group.size(), maxLength), maxLength);
  }

  /** The packed row of a group whose positive comes first. */
  public static Row packed(List<EncodedPair> group) {
    return row(group, group.stream().mapToInt(EncodedPair::length).reduce(0, Math::addExact), 0);
  }

  /** @param maxLength tokens from one pair to the next; 0 without padding */
  private static Row row(List<EncodedPair> group, int size, int maxLength) {
    long[] ids = new long[size];
    long[] mask = new long[size];
    long[] segments = new long[size];
    long[] labels = new long[group.size()];
    labels[0] = 1;
    int at = 0;
    for (int pair = 0; pair < group.size(); pair++) {
      EncodedPair tokens = group.get(pair);
      for (int i = 0; i < tokens.length(); i++) {
        ids[at + i] = tokens.ids()[i];
        mask[at + i] = maxLength == 0 ? pair + 1 : 1;
        segments[at + i] = i < tokens.firstSegment() ? 0 : 1;
      }
      at += maxLength == 0 ? tokens.length() : maxLength;
    }
    return new Row(Map.of(INPUT_IDS, new Cell.Wholes(ids), INPUT_MASK, new Cell.Wholes(mask),
        SEGMENT_IDS, new Cell.Wholes(segments), LABEL_IDS, new Cell.Wholes(labels)));
  }

  /**
   * The pairs of a row, without padding, the positive first, the others in their order.
   *
   * @param words that the model embeds
   * @throws IllegalArgumentException saying what is wrong with the row
   */
  static List<EncodedPair> group(Row row, boolean packed, int words) {
    long[] ids = row.integers(INPUT_IDS);
    long[] mask = row.integers(INPUT_MASK);
    long[] segments = row.integers(SEGMENT_IDS);
    long[] labels = row.integers(LABEL_IDS);
    requireEqual(ids, mask, segments);
    int positive = positive(labels);
    if (!packed && ids.length % labels.length != 0) {
      throw new IllegalArgumentException(ids.length + " input_ids are no equal share for each of " + labels.length
          + " label_ids");
    }
    List<EncodedPair> pairs = new ArrayList<>(labels.length);
    int maxLength = ids.length / labels.length;
    int at = 0;
    for (int pair = 0; pair < labels.length; pair++) {
      int end = packed ? endOf(pair + 1, mask, at) : at + maxLength;
      pairs.add(pair(pair, ids, mask, segments, at, end, words));
      at = end;
    }
    if (at < ids.length) {
      throw new IllegalArgumentException("input_mask is " + mask[at] + " at element " + at + ", of " + labels.length
          + " passages");
    }
    pairs.addFirst(pairs.remove(positive));
    return pairs;
  }

  /**
   * The one pair of a row, without padding. Its label, if it has one, is not looked at.
   *
   * @param words that the model embeds
   * @throws IllegalArgumentException saying what is wrong with the row
   */
  static EncodedPair pair(Row row, int words) {
    long[] ids = row.integers(INPUT_IDS);
    long[] mask = row.integers(INPUT_MASK);
    long[] segments = row.integers(SEGMENT_IDS);
    requireEqual(ids, mask, segments);
    if (row.cells().get(LABEL_IDS) instanceof Cell.Wholes labels && labels.values().length > 1) {
      throw new IllegalArgumentException("is a group of %d passages; to be evaluated, pairs stand one a row".formatted(
          labels.values().length));
    }
    return pair(0, ids, mask, segments, 0, ids.length, words);
  }

  private static void requireEqual(long[] ids, long[] mask, long[] segments) {
    if (mask.length == ids.length && segments.length == ids.length) return;
    throw new IllegalArgumentException("input_ids, input_mask and segment_ids have %d, %d and %d elements".formatted(
        ids.length, mask.length, segments.length));
  }

  private static int positive(long[] labels) {
    int positive = -1;
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] != 0 && labels[i] != 1) throw new IllegalArgumentException("label_ids has a " + labels[i]);
      if (labels[i] == 0) continue;
      if (positive >= 0) throw new IllegalArgumentException("label_ids has more than one 1");
      positive = i;
    }
    if (positive < 0) throw new IllegalArgumentException("label_ids has no 1, so no passage is the positive");
    return positive;
  }

  private static int endOf(int number, long[] mask, int from) {
    int end = from;
    while (end < mask.length && mask[end] == number) end++;
    return end;
  }

  /** Kernels take an id for a row of the table of words and look at nothing: here is where it is held against it. */
  private static EncodedPair pair(int pair, long[] ids, long[] mask, long[] segments, int from, int to, int words) {
    int length = 0;
    for (int i = from; i < to; i++) {
      if (mask[i] != 0) length++;
    }
    if (length == 0) throw new IllegalArgumentException("passage " + pair + " has no token");
    int[] tokens = new int[length];
    int firstSegment = 0;
    int at = 0;
    for (int i = from; i < to; i++) {
      if (mask[i] == 0) continue;
      if (ids[i] < 0 || ids[i] >= words) {
        throw new IllegalArgumentException(("input_ids has %d at element %d, and the model embeds %d words, from 0 on: "
            + "prepare the file with the model's vocabulary").formatted(ids[i], i, words));
      }
      if (segments[i] != 0 && segments[i] != 1 || segments[i] == 0 && firstSegment < at) {
        throw new IllegalArgumentException("segment_ids of passage " + pair + " are not zeros and then ones");
      }
      if (segments[i] == 0) firstSegment++;
      tokens[at++] = (int) ids[i];
    }
    return new EncodedPair(tokens, firstSegment);
  }
}
