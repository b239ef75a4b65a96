package org.dyr.formats.tfrecord;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.zip.CRC32C;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.dyr.formats.FormatException;

/**
 * The records of a TFRecord file, plain or (by its first bytes) gzipped, one after another: 8 bytes length, its
 * checksum, the data, its checksum, all little-endian. A checksum is CRC-32C, rotated right by 15 bits, plus
 * 0xa282ead8. Both are held against the data. One record is in memory at a time. One thread at a time.
 */
public final class TfRecordReader implements AutoCloseable {
  private static final int HEADER = Long.BYTES + Integer.BYTES;
  private static final int LARGEST = Integer.MAX_VALUE - 64;
  private static final int BUFFER = 1 << 16;
  private static final long UNKNOWN = Long.MAX_VALUE; // what a gzipped file has unpacked
  private static final byte[] GZIP = {0x1f, (byte) 0x8b, 8}; // as a length without gzip it would be wrong

  private final Path file;
  private final long size;
  private final InputStream in;
  private long position;
  private long number;

  private TfRecordReader(Path file, long size, InputStream in) {
    this.file = file;
    this.size = size;
    this.in = in;
  }

  /** @throws FormatException when the file begins as gzip does and is none */
  public static TfRecordReader open(Path file) throws IOException {
    InputStream in = new BufferedInputStream(Files.newInputStream(file), BUFFER);
    boolean opened = false;
    try {
      TfRecordReader reader = isGzip(in) ? new TfRecordReader(file, UNKNOWN, new GZIPInputStream(in, BUFFER))
          : new TfRecordReader(file, Files.size(file), in);
      opened = true;
      return reader;
    } catch (ZipException | EOFException e) {
      throw new FormatException(file, "", "is damaged gzip: " + e.getMessage(), e);
    } finally {
      if (!opened) in.close();
    }
  }

  private static boolean isGzip(InputStream in) throws IOException {
    in.mark(GZIP.length);
    boolean gzip = Arrays.equals(in.readNBytes(GZIP.length), GZIP);
    in.reset();
    return gzip;
  }

  /** Whether these bytes begin a record: a length with its checksum. */
  static boolean beginsRecord(byte[] start) {
    return start.length >= HEADER && ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getInt(Long.BYTES)
        == masked(start, Long.BYTES);
  }

  private static int masked(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return Integer.rotateRight((int) crc.getValue(), 15) + 0xa282ead8;
  }

  /** The number of the next record, from 0. */
  public long number() {
    return number;
  }

  /**
   * The bytes of the next record, or null after the last.
   *
   * @throws FormatException naming record and byte when the file ends within it or a checksum is wrong
   */
  public byte[] next() throws IOException {
    if (position == size) return null;
    byte[] header = read(HEADER);
    if (header.length == 0 && size == UNKNOWN) return null;
    if (header.length < HEADER) throw wrong("the file ends within its length");
    if (!beginsRecord(header)) throw wrong("the checksum of its length is wrong");
    long length = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 0 || length > size - position - HEADER - Integer.BYTES || length > LARGEST) {
      throw wrong("says it has " + Long.toUnsignedString(length) + " bytes"
          + (size == UNKNOWN ? "" : ", in a file of " + size));
    }
    position += HEADER;
    byte[] data = take((int) length, "its data");
    position += length;
    int stored = ByteBuffer.wrap(take(Integer.BYTES, "its checksum")).order(ByteOrder.LITTLE_ENDIAN).getInt();
    if (stored != masked(data, data.length)) throw wrong("the checksum of its data is wrong");
    position += Integer.BYTES;
    number++;
    return data;
  }

  /**
   * The next record as a tf.Example: its features by name, sorted; null after the last.
   *
   * @throws FormatException as {@link #next}, or when the record is no tf.Example
   */
  public Map<String, Feature> nextExample() throws IOException {
    byte[] record = next();
    if (record == null) return null;
    try {
      return ExampleParser.parse(record);
    } catch (IOException e) {
      throw new FormatException(file, "record " + (number - 1), "is no tf.Example: " + e.getMessage(), e);
    }
  }

  private byte[] take(int length, String what) throws IOException {
    byte[] bytes = read(length);
    if (bytes.length < length) throw wrong("the file ends within " + what);
    return bytes;
  }

  /** As many bytes as there are, at most those asked for; memory grows with what comes, not with what is asked. */
  private byte[] read(int length) throws IOException {
    try {
      return in.readNBytes(length);
    } catch (EOFException e) {
      throw new FormatException(file, "record " + number, "the gzip stream ends early; the file was cut short", e);
    } catch (ZipException e) {
      throw new FormatException(file, "record " + number, "the gzip stream is damaged: " + e.getMessage(), e);
    }
  }

  private FormatException wrong(String problem) {
    return new FormatException(file, "record " + number + " near byte " + position, problem);
  }

  @Override public void close() throws IOException {
    in.close();
  }
}
