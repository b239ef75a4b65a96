package org.dyr.formats.mindrecord;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.dyr.formats.FormatException;

/**
 * One data file. Rows are found by walking the lengths in the pages, a row group at a time and each once; of a row
 * group only its records' places are kept, 8 bytes a row. Safe for use by many threads.
 */
final class ShardReader implements AutoCloseable {
  private static final int WINDOW = 4096;
  private static final String ENCRYPTED = "ENCRYPT";

  /** The rows of one blob page. Their raw records lie in one run of one raw page. */
  private record RowGroup(Page blob, int rows, Page raw, long rawStart, long rawEnd) {
  }

  /** Where the records of a row group begin in their pages, and at last where the last one ends: (rows + 1). */
  private record Places(int[] raw, int[] blob) {
  }

  /** Where a row lies, in the words of the index; the offsets are within the page and count the length field. */
  record RowPlace(long rawPage, long rawStart, long rawEnd, long rowGroup, long blobPage, long blobStart,
      long blobEnd) {
  }

  private final Path file;
  private final FileChannel channel;
  private final long size;
  private final JsonNode tree;
  private final Header header;
  private final List<RowGroup> groups;
  private final AtomicReferenceArray<Places> places; // (groups)
  private final long rows;

  private ShardReader(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    size = channel.size();
    refuseEncrypted();
    byte[] json = headerBytes();
    try {
      tree = Header.tree(json);
      header = Header.parse(tree);
    } catch (Malformed e) {
      throw new FormatException(file, "header", e.getMessage(), e);
    }
    if (json.length > header.headerSize() - Header.LENGTH_BYTES) {
      throw wrong("header", "is " + json.length + " bytes long, header_size is " + header.headerSize());
    }
    for (Page page : header.pages()) {
      long end = header.start(page) + page.used();
      if (end > size) {
        throw wrong("page " + page.id(),
            "ends at byte " + end + " of a file of " + size + " bytes; the file was cut short");
      }
    }
    groups = rowGroups();
    places = new AtomicReferenceArray<>(groups.size());
    rows = groups.isEmpty() ? 0 : groups.getLast().blob.endRow();
  }

  static ShardReader open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      return new ShardReader(file, channel);
    } catch (IOException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  private void refuseEncrypted() throws IOException {
    if (size < Header.LENGTH_BYTES) throw wrong("", "is " + size + " bytes long, too short for a MindRecord file");
    byte[] end = read(size - ENCRYPTED.length(), ENCRYPTED.length());
    if (new String(end, StandardCharsets.US_ASCII).equals(ENCRYPTED)) {
      throw wrong("", "is encrypted, which is not read");
    }
  }

  private byte[] headerBytes() throws IOException {
    long length = ByteBuffer.wrap(read(0, Header.LENGTH_BYTES)).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 2 || length > Header.LARGEST_HEADER || length > size - Header.LENGTH_BYTES) {
      throw wrong("header",
          "says it is " + Long.toUnsignedString(length) + " bytes long, in a file of " + size + " bytes");
    }
    return read(Header.LENGTH_BYTES, (int) length);
  }

  private List<RowGroup> rowGroups() {
    record Run(Page page, long start, long end) {
    }
    Map<Long, Run> runs = new HashMap<>();
    for (Page page : header.pages()) {
      if (page.blob()) continue;
      List<Page.Start> starts = page.starts();
      for (int i = 0; i < starts.size(); i++) {
        long start = starts.get(i).offset();
        long end = i + 1 < starts.size() ? starts.get(i + 1).offset() : page.used();
        if (end < start) throw wrong("page " + page.id(), "row_group_ids are not in the order of their offsets");
        if (runs.put(starts.get(i).group(), new Run(page, start, end)) != null) {
          throw wrong("page " + page.id(), "row group " + starts.get(i).group() + " is there twice");
        }
      }
    }
    List<RowGroup> found = new ArrayList<>();
    long row = 0;
    for (Page page : header.pages()) {
      if (!page.blob()) continue;
      if (page.startRow() != row) {
        throw wrong("page " + page.id(), "start_row_id is " + page.startRow() + ", the pages before it end at " + row);
      }
      row = page.endRow();
      long rows = page.endRow() - page.startRow();
      if (rows > page.used() / Long.BYTES) {
        throw wrong("page " + page.id(), "says it has " + rows + " rows, in " + page.used() + " bytes");
      }
      Run run = runs.get(page.typeId());
      if (run == null) throw wrong("page " + page.id(), "no raw page has its row group " + page.typeId());
      found.add(new RowGroup(page, (int) rows, run.page, run.start, run.end));
    }
    return found;
  }

  Path file() {
    return file;
  }

  long size() {
    return size;
  }

  Header header() {
    return header;
  }

  /** The header as it stands in the file. */
  JsonNode tree() {
    return tree;
  }

  long rows() {
    return rows;
  }

  /** @param row from 0, counted in this shard */
  Row row(long row) throws IOException {
    int at = groupOf(row);
    RowGroup group = groups.get(at);
    Places where = places(at);
    int i = (int) (row - group.blob.startRow());
    Map<String, Cell> cells = new TreeMap<>();
    Page page = group.raw;
    try {
      RawRecord.read(record(page, where.raw, i), header.schema(), cells);
      page = group.blob;
      BlobRecord.read(record(page, where.blob, i), header.schema(), header.packed(), cells);
    } catch (Malformed e) {
      throw new FormatException(file, place(page, row), e.getMessage(), e);
    }
    return new Row(cells);
  }

  RowPlace place(long row) throws IOException {
    int at = groupOf(row);
    RowGroup group = groups.get(at);
    Places where = places(at);
    int i = (int) (row - group.blob.startRow());
    return new RowPlace(group.raw.id(), where.raw[i], where.raw[i + 1], group.blob.typeId(), group.blob.id(),
        where.blob[i], where.blob[i + 1]);
  }

  private byte[] record(Page page, int[] starts, int i) throws IOException {
    int length = starts[i + 1] - starts[i] - Long.BYTES;
    return read(header.start(page) + starts[i] + Long.BYTES, length);
  }

  private int groupOf(long row) {
    if (row < 0 || row >= rows) throw new IndexOutOfBoundsException("row " + row + " of " + rows);
    int low = 0;
    int high = groups.size() - 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (groups.get(middle).blob.endRow() <= row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private Places places(int at) throws IOException {
    Places known = places.get(at);
    if (known != null) return known;
    RowGroup group = groups.get(at);
    Places walked = new Places(walk(group, group.raw, group.rawStart, group.rawEnd),
        walk(group, group.blob, 0, group.blob.used()));
    places.set(at, walked);
    return walked;
  }

  private int[] walk(RowGroup group, Page page, long from, long to) throws IOException {
    if (group.rows > (to - from) / Long.BYTES) {
      throw wrong("page " + page.id(), "has " + (to - from) + " bytes for the records of " + group.rows + " rows");
    }
    int[] starts = new int[group.rows + 1];
    long pageStart = header.start(page);
    ByteBuffer window = ByteBuffer.allocate(0);
    long windowAt = 0;
    long at = from;
    for (int i = 0; i < group.rows; i++) {
      long row = group.blob.startRow() + i;
      if (to - at < Long.BYTES) throw wrong(place(page, row), "the page ends before this row's record");
      if (at < windowAt || at + Long.BYTES > windowAt + window.limit()) {
        window = ByteBuffer.wrap(read(pageStart + at, (int) Math.min(WINDOW, to - at))).order(ByteOrder.LITTLE_ENDIAN);
        windowAt = at;
      }
      long length = window.getLong((int) (at - windowAt));
      if (length < 0 || length > to - at - Long.BYTES) {
        throw wrong(place(page, row), "its record says it is " + Long.toUnsignedString(length) + " bytes long, and "
            + (to - at - Long.BYTES) + " are left in the page");
      }
      starts[i] = (int) at;
      at += Long.BYTES + length;
    }
    starts[group.rows] = (int) at;
    if (at != to) throw wrong("page " + page.id(), to - at + " bytes follow the record of its last row");
    return starts;
  }

  private byte[] read(long position, int length) throws IOException {
    ByteBuffer into = ByteBuffer.allocate(length);
    while (into.hasRemaining()) {
      int got = channel.read(into, position + into.position());
      if (got < 0) {
        throw wrong("byte " + (position + into.position()), "the file ends here; it was cut short while open");
      }
    }
    return into.array();
  }

  private static String place(Page page, long row) {
    return "page " + page.id() + ", row " + row;
  }

  private FormatException wrong(String place, String problem) {
    return new FormatException(file, place, problem);
  }

  @Override public void close() throws IOException {
    channel.close();
  }
}
