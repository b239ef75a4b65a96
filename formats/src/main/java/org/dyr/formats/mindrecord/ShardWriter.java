package org.dyr.formats.mindrecord;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * One data file while it is written. The rows of a call first fill up the last blob page, then new blob pages, one a
 * row group; their raw records follow in the last raw page, then in new ones. When the row group that was filled up
 * outgrows its raw page, its raw records move to a new one.
 */
final class ShardWriter implements AutoCloseable {

  /** A row as it is stored, each record with its length before it. */
  record StoredRow(byte[] raw, byte[] blob) {
  }

  private final Path file;
  private final FileChannel channel;
  private final int headerSize;
  private final int pageSize;
  private final List<Page> pages = new ArrayList<>();
  private int lastBlob = -1;
  private int lastRaw = -1;
  private long rawPages;

  ShardWriter(Path file, WriterOptions options) throws IOException {
    this.file = file;
    headerSize = options.headerSize();
    pageSize = options.pageSize();
    channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  static byte[] withLength(byte[] body) {
    return ByteBuffer.allocate(Math.addExact(Long.BYTES, body.length)).order(ByteOrder.LITTLE_ENDIAN)
        .putLong(body.length).put(body).array();
  }

  /** Writes the rows of one call. */
  void write(List<StoredRow> rows) throws IOException {
    if (rows.isEmpty()) return;
    List<List<StoredRow>> groups = cut(rows);
    List<StoredRow> first = groups.getFirst();
    if (!first.isEmpty()) fillUp(first);
    int firstNew = pages.size();
    for (List<StoredRow> group : groups.subList(1, groups.size())) newBlobPage(group);
    if (!first.isEmpty()) {
      makeRoom(first);
      appendRaw(first);
    }
    for (int i = 1; i < groups.size(); i++) newRawRun(groups.get(i), pages.get(firstNew + i - 1).typeId());
  }

  /** Rows for the last blob page, perhaps none, then rows for each new one. */
  private List<List<StoredRow>> cut(List<StoredRow> rows) {
    long blob = lastBlob < 0 ? 0 : pages.get(lastBlob).used();
    long raw = lastRaw < 0 ? 0 : pages.get(lastRaw).used() - pages.get(lastRaw).starts().getLast().offset();
    List<List<StoredRow>> groups = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < rows.size(); i++) {
      StoredRow row = rows.get(i);
      if (blob == 0 || blob + row.blob.length > pageSize || raw + row.raw.length > pageSize) {
        groups.add(rows.subList(from, i));
        from = i;
        blob = 0;
        raw = 0;
      }
      blob += row.blob.length;
      raw += row.raw.length;
    }
    groups.add(rows.subList(from, rows.size()));
    return groups;
  }

  private void fillUp(List<StoredRow> rows) throws IOException {
    Page page = pages.get(lastBlob);
    byte[] bytes = joined(rows.stream().map(StoredRow::blob).toList());
    put(bytes, page, page.used());
    pages.set(lastBlob, new Page(page.id(), true, page.typeId(), page.startRow(), page.endRow() + rows.size(),
        page.starts(), page.used() + bytes.length));
  }

  private void newBlobPage(List<StoredRow> rows) throws IOException {
    Page last = lastBlob < 0 ? null : pages.get(lastBlob);
    long startRow = last == null ? 0 : last.endRow();
    byte[] bytes = joined(rows.stream().map(StoredRow::blob).toList());
    lastBlob = pages.size();
    Page page = new Page(lastBlob, true, last == null ? 0 : last.typeId() + 1, startRow, startRow + rows.size(),
        List.of(new Page.Start(0, 0)), bytes.length);
    pages.add(page);
    put(bytes, page, 0);
  }

  /** Moves the last row group to a raw page of its own when these rows would not fit behind it. */
  private void makeRoom(List<StoredRow> rows) throws IOException {
    Page page = pages.get(lastRaw);
    if (page.used() + rawSize(rows) <= pageSize) return;
    Page.Start start = page.starts().getLast();
    ByteBuffer moved = ByteBuffer.allocate((int) (page.used() - start.offset()));
    while (moved.hasRemaining()) {
      if (channel.read(moved, at(page) + start.offset() + moved.position()) < 0) {
        throw new IOException(file + ": ends where it was written before");
      }
    }
    pages.set(lastRaw, new Page(page.id(), false, page.typeId(), 0, 0,
        List.copyOf(page.starts().subList(0, page.starts().size() - 1)), start.offset()));
    addRawPage();
    addRun(start.group(), moved.array());
  }

  private void appendRaw(List<StoredRow> rows) throws IOException {
    Page page = pages.get(lastRaw);
    byte[] bytes = joined(rows.stream().map(StoredRow::raw).toList());
    put(bytes, page, page.used());
    pages.set(lastRaw, new Page(page.id(), false, page.typeId(), 0, 0, page.starts(), page.used() + bytes.length));
  }

  private void newRawRun(List<StoredRow> rows, long group) throws IOException {
    if (lastRaw < 0 || pages.get(lastRaw).used() + rawSize(rows) > pageSize) addRawPage();
    addRun(group, joined(rows.stream().map(StoredRow::raw).toList()));
  }

  private void addRawPage() {
    lastRaw = pages.size();
    pages.add(new Page(lastRaw, false, rawPages++, 0, 0, List.of(), 0));
  }

  private void addRun(long group, byte[] bytes) throws IOException {
    Page page = pages.get(lastRaw);
    List<Page.Start> starts = new ArrayList<>(page.starts());
    starts.add(new Page.Start(group, page.used()));
    put(bytes, page, page.used());
    pages.set(lastRaw, new Page(page.id(), false, page.typeId(), 0, 0, List.copyOf(starts),
        page.used() + bytes.length));
  }

  private static long rawSize(List<StoredRow> rows) {
    return rows.stream().mapToLong(row -> row.raw.length).sum();
  }

  private static byte[] joined(List<byte[]> parts) {
    ByteBuffer all = ByteBuffer.allocate(parts.stream().mapToInt(part -> part.length).sum());
    parts.forEach(all::put);
    return all.array();
  }

  private long at(Page page) {
    return headerSize + page.id() * pageSize;
  }

  private void put(byte[] bytes, Page page, long offset) throws IOException {
    put(bytes, at(page) + offset);
  }

  private void put(byte[] bytes, long position) throws IOException {
    ByteBuffer from = ByteBuffer.wrap(bytes);
    while (from.hasRemaining()) channel.write(from, position + from.position());
  }

  /** The pages so far. */
  List<Page> pages() {
    return List.copyOf(pages);
  }

  /** @throws IllegalArgumentException when the header does not fit in {@code header_size} */
  void writeHeader(Header header) throws IOException {
    byte[] stored = withLength(header.json());
    if (stored.length > headerSize) {
      throw new IllegalArgumentException("the header takes " + stored.length + " bytes, header_size is " + headerSize
          + "; a larger header_size, larger pages or more shards make it fit");
    }
    put(stored, 0);
    if (channel.size() < headerSize) put(new byte[1], headerSize - 1L);
  }

  @Override public void close() throws IOException {
    channel.close();
  }
}
