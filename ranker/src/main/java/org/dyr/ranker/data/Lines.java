package org.dyr.ranker.data;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * The lines of a UTF-8 text file, plain or (by its name) {@code .gz}, with their numbers for error messages. Lines end
 * with LF or CR LF and with nothing else, so other line separators of Unicode stay inside a text. A byte order mark at
 * the start is dropped. Bytes that are not UTF-8 and a damaged or cut gzip stream are errors.
 */
public final class Lines implements AutoCloseable {

  private static final int MAX_LINE_BYTES = 1 << 28;

  private final Path file;
  private final InputStream in;
  private final CharsetDecoder utf8 = StandardCharsets.UTF_8.newDecoder();
  private final byte[] buffer = new byte[1 << 16];
  private int position;
  private int limit;
  private byte[] line = new byte[1 << 12];
  private long number;

  private Lines(Path file, InputStream in) {
    this.file = file;
    this.in = in;
  }

  /** Opens a file; the caller closes it. */
  public static Lines open(Path file) {
    InputStream raw = null;
    try {
      raw = Files.newInputStream(file);
      boolean packed = file.getFileName().toString().endsWith(".gz");
      return new Lines(file, packed ? new GZIPInputStream(raw, 1 << 16) : raw);
    } catch (IOException e) {
      DataException failure = e instanceof NoSuchFileException
          ? new DataException(file, "no such file") : failure(file, 1, e);
      if (raw != null) {
        try {
          raw.close();
        } catch (IOException closing) {
          failure.addSuppressed(closing);
        }
      }
      throw failure;
    }
  }

  /** The file of that name in the directory, or that name with {@code .gz}; null when neither is there. */
  static Path find(Path directory, String name) {
    for (String candidate : new String[] {name, name + ".gz"}) {
      Path file = directory.resolve(candidate);
      if (Files.isRegularFile(file)) return file;
    }
    return null;
  }

  public Path file() {
    return file;
  }

  /** The number, from 1, of the line that {@link #next} gave last. */
  public long number() {
    return number;
  }

  /** The next line without its end, or null after the last. */
  public String next() {
    number++;
    int length = 0;
    while (true) {
      if (position == limit && !refill()) {
        if (length == 0) return null;
        break;
      }
      int end = position;
      while (end < limit && buffer[end] != '\n') end++;
      length = append(length, end);
      boolean complete = end < limit;
      position = complete ? end + 1 : end;
      if (complete) break;
    }
    if (length > 0 && line[length - 1] == '\r') length--;
    return decode(length);
  }

  /**
   * The next line split at tabs, or null after the last.
   *
   * @param layout the expected columns, for the message, for example {@code qid<TAB>text}
   */
  public String[] next(int columns, String layout) {
    return next(columns, columns, layout);
  }

  /** As {@link #next(int, String)}, with columns at the end that may be absent. */
  String[] next(int least, int most, String layout) {
    String text = next();
    if (text == null) return null;
    String[] fields = text.split("\t", -1);
    if (fields.length < least || fields.length > most) {
      throw wrong(fields.length + " tab-separated column" + (fields.length == 1 ? "" : "s") + ", expected " + least
          + (most == least ? "" : " to " + most) + ": " + layout);
    }
    return fields;
  }

  /**
   * Looks whether an id can stand in a run, where blanks part the columns.
   *
   * @throws DataException at the current line when the id is empty or has a blank or a control character
   */
  public void requireId(String id, String what) {
    if (id.isBlank()) throw wrong("empty " + what);
    for (int i = 0; i < id.length(); i++) {
      if (id.charAt(i) > ' ') continue;
      throw wrong("%s \"%s\" has a blank or a control character, which ends an id in a run; write another, for example _, "
          .formatted(what, id.replaceAll("\\p{Cntrl}", "?")) + "in every file that names it");
    }
  }

  /** An error at the current line. */
  public DataException wrong(String problem) {
    return new DataException(file, number, problem);
  }

  @Override public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw failure(file, number, e);
    }
  }

  private boolean refill() {
    try {
      position = 0;
      limit = Math.max(0, in.read(buffer));
      return limit > 0;
    } catch (IOException e) {
      throw failure(file, number, e);
    }
  }

  private int append(int length, int end) {
    int more = end - position;
    if (length + more > MAX_LINE_BYTES) {
      throw wrong("line of more than " + MAX_LINE_BYTES + " bytes; is this a text file?");
    }
    if (length + more > line.length) line = Arrays.copyOf(line, Math.max(2 * line.length, length + more));
    System.arraycopy(buffer, position, line, length, more);
    return length + more;
  }

  private String decode(int length) {
    boolean mark = number == 1 && length >= 3 && line[0] == (byte) 0xEF && line[1] == (byte) 0xBB
        && line[2] == (byte) 0xBF;
    int start = mark ? 3 : 0;
    try {
      return utf8.decode(ByteBuffer.wrap(line, start, length - start)).toString();
    } catch (CharacterCodingException e) {
      throw new DataException(file, number, "is not valid UTF-8; convert the file to UTF-8", e);
    }
  }

  private static DataException failure(Path file, long line, IOException e) {
    String problem = switch (e) {
      case EOFException cut -> "the gzip stream ends early; the file was cut short";
      case ZipException damaged -> "the gzip stream is damaged: " + damaged.getMessage();
      default -> "cannot be read: " + e;
    };
    return new DataException(file, Math.max(1, line), problem, e);
  }
}
