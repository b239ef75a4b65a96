package org.dyr.formats.mindrecord;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.dyr.formats.FormatException;

/**
 * The rows of a data set of one shard or several, by number: shard after shard in the order of opening, within a shard
 * in file order. The pages are what is read; an index beside them is not needed. Nothing but headers and the places of
 * records (8 bytes a row, of the row groups touched so far) is kept in memory. Safe for use by many threads.
 */
public final class MindRecordReader implements AutoCloseable {
  private final List<ShardReader> shards;
  private final long[] firstRows; // (shards + 1)

  private MindRecordReader(List<ShardReader> shards) {
    this.shards = shards;
    firstRows = new long[shards.size() + 1];
    for (int i = 0; i < shards.size(); i++) firstRows[i + 1] = firstRows[i] + shards.get(i).rows();
  }

  /**
   * Opens the data set that a file belongs to: all shards that its header names, in its folder.
   *
   * @throws FormatException when a shard is missing, damaged, or made otherwise than the first
   * @throws UncheckedIOException when a file cannot be opened or read
   */
  public static MindRecordReader open(Path file) {
    List<Path> files = new ArrayList<>();
    try (ShardReader one = ShardReader.open(file)) {
      List<String> names = one.header().shards();
      for (String name : names) {
        Path shard = names.size() == 1 ? file : file.resolveSibling(name); // a single file may have been renamed
        if (!Files.exists(shard)) {
          throw new FormatException(file, "header", "shard " + name + ", one of " + names.size()
              + " that it names, is not in the folder");
        }
        files.add(shard);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return open(files);
  }

  /**
   * Opens exactly these files, in this order.
   *
   * @throws FormatException when one is damaged or made otherwise than the first
   * @throws UncheckedIOException when a file cannot be opened or read
   */
  public static MindRecordReader open(List<Path> files) {
    if (files.isEmpty()) throw new IllegalArgumentException("no file to open");
    List<ShardReader> shards = new ArrayList<>();
    try {
      for (Path file : files) {
        shards.add(ShardReader.open(file));
        String differs = shards.getLast().header().differsFrom(shards.getFirst().header());
        if (differs != null) {
          throw new FormatException(file, "header", "its " + differs + " is not that of " + files.getFirst());
        }
      }
      return new MindRecordReader(List.copyOf(shards));
    } catch (IOException e) {
      closeAll(shards, e);
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      closeAll(shards, e);
      throw e;
    }
  }

  private static void closeAll(List<ShardReader> shards, Throwable cause) {
    for (ShardReader shard : shards) {
      try {
        shard.close();
      } catch (IOException e) {
        cause.addSuppressed(e);
      }
    }
  }

  public Schema schema() {
    return shards.getFirst().header().schema();
  }

  /** The files, in the order of their rows. */
  public List<Path> files() {
    return shards.stream().map(ShardReader::file).toList();
  }

  /** Rows of all shards. */
  public long count() {
    return firstRows[shards.size()];
  }

  /**
   * A row.
   *
   * @param number from 0 to below {@link #count}
   * @throws FormatException naming page and row when the row is damaged
   */
  public Row row(long number) {
    int shard = shardOf(number);
    try {
      return shards.get(shard).row(number - firstRows[shard]);
    } catch (IOException e) {
      throw new UncheckedIOException(shards.get(shard).file() + ": cannot be read: " + e, e);
    }
  }

  /** The file that a row lies in. */
  public Path fileOf(long number) {
    return shards.get(shardOf(number)).file();
  }

  /** The number of a row in its file, from 0. */
  public long rowInFile(long number) {
    return number - firstRows[shardOf(number)];
  }

  private int shardOf(long number) {
    if (number < 0 || number >= count()) throw new IndexOutOfBoundsException("row " + number + " of " + count());
    int shard = 0;
    while (number >= firstRows[shard + 1]) shard++;
    return shard;
  }

  /** All rows in order. The iterator reads a row when asked for it. */
  public Iterator<Row> rows() {
    return new Iterator<>() {
      private long next;

      @Override public boolean hasNext() {
        return next < count();
      }

      @Override public Row next() {
        if (!hasNext()) throw new NoSuchElementException();
        return row(next++);
      }
    };
  }

  /**
   * Holds the index files that lie beside the shards against the pages; a missing one is no fault.
   *
   * @throws FormatException naming the index and what it says otherwise
   */
  public void checkIndexes() {
    for (ShardReader shard : shards) {
      Path index = IndexFile.of(shard.file());
      if (!Files.exists(index)) continue;
      try {
        Optional<String> problem = IndexFile.compare(index, shard);
        if (problem.isPresent()) {
          throw new FormatException(index, "",
              problem.get() + "; the pages are complete without it, so it may be deleted");
        }
      } catch (IOException e) {
        throw new UncheckedIOException(shard.file() + ": cannot be read: " + e, e);
      }
    }
  }

  @Override public void close() {
    IOException failure = null;
    for (ShardReader shard : shards) {
      try {
        shard.close();
      } catch (IOException e) {
        if (failure == null) failure = e;
        else failure.addSuppressed(e);
      }
    }
    if (failure != null) throw new UncheckedIOException(failure);
  }
}
