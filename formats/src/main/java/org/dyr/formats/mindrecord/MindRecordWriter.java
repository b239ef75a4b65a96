package org.dyr.formats.mindrecord;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import org.dyr.io.AtomicFiles;

/**
 * Writes a data set: shards and their indexes. They are written in a folder {@code .NAME.<16 hexadecimal digits>.tmp}
 * beside their place, and {@link #finish} forces them to the disk and moves them there, replacing files of the same
 * names; without it {@link #close} leaves nothing behind. Several files cannot be replaced in one step: whatever stops
 * the process meanwhile, who opens a file of the set finds the old one, the new one, or that a shard is missing. One
 * thread at a time.
 */
public final class MindRecordWriter implements AutoCloseable {
  private final Path directory;
  private final Path staging;
  private final Schema schema;
  private final WriterOptions options;
  private final List<String> indexFields;
  private final List<String> names;
  private final List<ShardWriter> shards = new ArrayList<>();
  private long saved;
  private long rows;
  private boolean failed; // a call did not end
  private boolean finished;

  private MindRecordWriter(Path target, Schema schema, WriterOptions options, List<String> names) throws IOException {
    Path absolute = target.toAbsolutePath();
    if (absolute.getFileName() == null) throw new IllegalArgumentException(target + " is not the name of a file");
    this.schema = schema;
    this.options = options;
    indexFields = indexFields(schema, options);
    String name = absolute.getFileName().toString();
    this.names = names;
    directory = absolute.getParent();
    staging = directory.resolve(".%s.%016x.tmp".formatted(name, ThreadLocalRandom.current().nextLong()));
    Files.createDirectory(staging);
    try {
      for (String shard : names) shards.add(new ShardWriter(staging.resolve(shard), options));
    } catch (IOException | RuntimeException e) {
      try {
        close();
      } catch (RuntimeException closing) {
        e.addSuppressed(closing);
      }
      throw e;
    }
  }

  /**
   * Begins a data set.
   *
   * @param target the data file; with several shards their number is appended, with as many digits as the last one has
   * @throws IllegalArgumentException for index fields that are no scalar columns
   * @throws UncheckedIOException when the folder cannot be written
   */
  public static MindRecordWriter create(Path target, Schema schema, WriterOptions options) {
    String name = String.valueOf(target.getFileName());
    return create(target, schema, options, names(name, options.shards()));
  }

  /** With names for the shards that do not follow from the target's; old writers counted with other digits. */
  static MindRecordWriter create(Path target, Schema schema, WriterOptions options, List<String> names) {
    try {
      return new MindRecordWriter(target, schema, options, names);
    } catch (IOException e) {
      throw failure(target, e);
    }
  }

  private static List<String> indexFields(Schema schema, WriterOptions options) {
    if (options.indexFields() == null) return schema.rawColumns().stream().map(Column::name).toList();
    for (String field : options.indexFields()) {
      Column column = schema.column(field);
      if (column == null || schema.inBlob(column)) {
        throw new IllegalArgumentException("index field " + field + " is no scalar column");
      }
    }
    return options.indexFields();
  }

  private static List<String> names(String name, int shards) {
    if (shards == 1) return List.of(name);
    int digits = Integer.toString(shards - 1).length();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < shards; i++) names.add(name + String.format(Locale.ROOT, "%0" + digits + "d", i));
    return names;
  }

  /**
   * Adds rows, as one write call of MindSpore does: cut into as many runs as there are shards, nearly equal ones, the
   * longer ones first (MindSpore leaves to chance which they are).
   *
   * @throws IllegalArgumentException for a row that does not fit the schema or a page; nothing may be added after it
   * @throws UncheckedIOException when the disk fails
   */
  public void write(List<Row> rows) {
    int each = rows.size() / shards.size();
    int longer = rows.size() % shards.size();
    int from = 0;
    for (int shard = 0; shard < shards.size(); shard++) {
      int to = from + each + (shard < longer ? 1 : 0);
      write(shard, rows.subList(from, to));
      from = to;
    }
  }

  /** Adds rows to one shard, in one write call. */
  public void write(int shard, List<Row> added) {
    requireOpen();
    failed = true;
    List<ShardWriter.StoredRow> stored = new ArrayList<>(added.size());
    for (Row row : added) {
      byte[] raw;
      BlobRecord.Encoded blob;
      try {
        raw = RawRecord.write(row, schema);
        blob = BlobRecord.write(row, schema, options.version3());
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("row " + rows + " of those written: " + e.getMessage(), e);
      }
      long largest = Long.BYTES + (long) Math.max(raw.length, blob.body().length);
      if (largest > options.pageSize()) {
        throw new IllegalArgumentException("row " + rows + " of those written takes " + largest
            + " bytes, a page has " + options.pageSize());
      }
      stored.add(new ShardWriter.StoredRow(ShardWriter.withLength(raw), ShardWriter.withLength(blob.body())));
      saved += blob.saved();
      rows++;
    }
    try {
      shards.get(shard).write(stored);
    } catch (IOException e) {
      throw failure(directory.resolve(names.get(shard)), e);
    }
    failed = false;
  }

  private void requireOpen() {
    if (finished) throw new IllegalStateException("the data set is finished");
    if (failed) throw new IllegalStateException("an earlier call failed; the data set is not whole");
  }

  /**
   * Writes headers and indexes and puts everything in its place.
   *
   * @throws IllegalStateException after a call that failed
   * @throws UncheckedIOException when the disk fails, or there is a folder of a file's name; with the folder, what was
   *     there before is unchanged
   */
  public void finish() {
    requireOpen();
    try {
      for (int i = 0; i < shards.size(); i++) {
        shards.get(i).writeHeader(new Header(options.headerSize(), options.pageSize(), indexFields,
            shards.get(i).pages(), Math.max(0, saved), schema, names, i, options.version3()));
        shards.get(i).close();
        Path data = staging.resolve(names.get(i));
        try (ShardReader written = ShardReader.open(data)) {
          IndexFile.write(IndexFile.of(data), written);
        }
        force(data, StandardOpenOption.WRITE);
        force(IndexFile.of(data), StandardOpenOption.WRITE);
      }
      publish(staging, directory, names);
      finished = true;
    } catch (IOException e) {
      throw failure(directory.resolve(names.getFirst()), e);
    }
  }

  /**
   * Moves shards and indexes to their place. Of a set that was there only the first shard stays until the new one takes
   * its place: alone it is not whole, and a reader says which shard is missing, before and after. Indexes say nothing
   * new, and go first of all.
   *
   * @throws UncheckedIOException naming a folder that is in the way; nothing has been touched then
   */
  static void publish(Path staging, Path directory, List<String> names) throws IOException {
    for (String name : names) {
      for (Path place : List.of(directory.resolve(name), IndexFile.of(directory.resolve(name)))) {
        if (Files.isDirectory(place)) {
          throw failure(place, new IOException("a folder of that name is there; remove it, or name another file"));
        }
      }
    }
    for (String name : names) Files.deleteIfExists(IndexFile.of(directory.resolve(name)));
    for (String name : names.subList(1, names.size()).reversed()) Files.deleteIfExists(directory.resolve(name));
    force(directory);
    for (String name : names) {
      for (Path file : List.of(staging.resolve(name), IndexFile.of(staging.resolve(name)))) {
        Files.move(file, directory.resolve(file.getFileName()), StandardCopyOption.ATOMIC_MOVE);
      }
    }
    force(directory);
  }

  private static void force(Path directory) throws IOException {
    if (File.separatorChar == '/') force(directory, StandardOpenOption.READ); // Windows opens no directories
  }

  private static void force(Path path, StandardOpenOption how) throws IOException {
    try (FileChannel channel = FileChannel.open(path, how)) {
      channel.force(true);
    }
  }

  /** The data files, in the order of their shards. */
  public List<Path> files() {
    return names.stream().map(directory::resolve).toList();
  }

  private static UncheckedIOException failure(Path target, IOException e) {
    String reason = e.getMessage() == null ? e.toString() : e.getMessage();
    return new UncheckedIOException(target + ": cannot be written: " + reason, e);
  }

  /** Ends the writing; what is not finished is removed. */
  @Override public void close() {
    try {
      for (ShardWriter shard : shards) shard.close();
      AtomicFiles.removeTree(staging);
    } catch (IOException e) {
      throw failure(staging, e);
    }
  }
}
