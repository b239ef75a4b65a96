package org.dyr.ranker.eval;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * Reads a text file row by row, each row cut at blanks and tabs. The text is strict UTF-8, plain or gzipped (told by
 * its first two bytes, not by its name); lines end with LF or CRLF; a byte order mark and blank lines are passed over.
 * Bytes are cut into lines before they are decoded, so that a wrong byte is reported with its line.
 */
final class ColumnFile implements Closeable {
  private static final int BUFFER = 1 << 16;

  private final Path file;
  private final InputStream in;
  private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder(); // reports what it cannot decode
  private final byte[] buffer = new byte[BUFFER];
  private int next;
  private int filled;
  private long line;

  private ColumnFile(Path file, InputStream in) {
    this.file = file;
    this.in = in;
  }

  static ColumnFile open(Path file) throws IOException {
    if (Files.isDirectory(file)) throw new BadFileException(file, "is a directory; a file is needed");
    InputStream raw = new BufferedInputStream(Files.newInputStream(file), BUFFER);
    try {
      raw.mark(2);
      boolean gzip = raw.read() == 0x1f && raw.read() == 0x8b;
      raw.reset();
      return new ColumnFile(file, gzip ? new GZIPInputStream(raw, BUFFER) : raw);
    } catch (EOFException | ZipException e) {
      raw.close();
      throw new BadFileException(file, "not a whole gzip file (" + e.getMessage() + ")");
    } catch (IOException e) {
      raw.close();
      throw e;
    }
  }

  /** The columns of the next row that is not blank, or null at the end of the file. */
  List<String> next() throws IOException {
    for (String text = nextLine(); text != null; text = nextLine()) {
      List<String> columns = columns(text);
      if (!columns.isEmpty()) return columns;
    }
    return null;
  }

  /** An error about the row that came last. */
  BadFileException bad(String what) {
    return new BadFileException(file, line, what);
  }

  private String nextLine() throws IOException {
    ByteArrayOutputStream carried = null; // the start of a line that goes on in the next buffer
    while (true) {
      for (int i = next; i < filled; i++) {
        if (buffer[i] != '\n') continue;
        int from = next;
        next = i + 1;
        if (carried == null) return decode(buffer, from, i);
        carried.write(buffer, from, i - from);
        return decode(carried.toByteArray(), 0, carried.size());
      }
      if (next < filled) {
        if (carried == null) carried = new ByteArrayOutputStream();
        carried.write(buffer, next, filled - next);
      }
      next = 0;
      filled = fill();
      if (filled == 0) return carried == null ? null : decode(carried.toByteArray(), 0, carried.size());
    }
  }

  private int fill() throws IOException {
    try {
      return Math.max(0, in.read(buffer));
    } catch (EOFException | ZipException e) {
      throw new BadFileException(file, line + 1, "the gzip file is cut off or damaged here (" + e.getMessage() + ")");
    }
  }

  private String decode(byte[] bytes, int from, int to) throws BadFileException {
    line++;
    int end = to > from && bytes[to - 1] == '\r' ? to - 1 : to;
    try {
      String text = decoder.decode(ByteBuffer.wrap(bytes, from, end - from)).toString();
      return line == 1 && text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw bad("not UTF-8; convert the file, for instance with iconv -f LATIN1 -t UTF-8");
    }
  }

  private static List<String> columns(String text) {
    List<String> columns = new ArrayList<>(6);
    int start = -1;
    for (int i = 0; i <= text.length(); i++) {
      boolean between = i == text.length() || text.charAt(i) == ' ' || text.charAt(i) == '\t';
      if (!between && start < 0) start = i;
      if (between && start >= 0) {
        columns.add(text.substring(start, i));
        start = -1;
      }
    }
    return columns;
  }

  @Override public void close() throws IOException {
    in.close();
  }
}
