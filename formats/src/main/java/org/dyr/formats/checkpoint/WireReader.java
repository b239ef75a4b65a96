package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.dyr.formats.FormatException;

/**
 * The elements of protobuf's wire format out of a file of any length, of which a small window is in memory. Protobuf's
 * own readers count bytes in an int and end at 2 GiB; see <a
 * href="https://protobuf.dev/programming-guides/encoding/">the encoding</a>.
 */
final class WireReader {
  private static final int WINDOW = 1 << 16;

  private final Path path;
  private final FileChannel file;
  private final ByteBuffer window = ByteBuffer.allocate(WINDOW).limit(0);
  private long begin; // the place in the file of the window's first byte

  WireReader(Path path, FileChannel file) {
    this.path = path;
    this.file = file;
  }

  /** Bytes before the next one. */
  long position() {
    return begin + window.position();
  }

  /** Goes on at a byte of the file; reads nothing. */
  void seek(long to) {
    if (to >= begin && to <= begin + window.limit()) {
      window.position((int) (to - begin));
    } else {
      begin = to;
      window.position(0).limit(0);
    }
  }

  private int next() throws IOException {
    if (!window.hasRemaining()) {
      begin += window.limit();
      window.clear();
      int read = file.read(window, begin);
      window.flip();
      if (read <= 0) throw new FormatException(path, "byte " + begin, "the file became shorter while being read");
    }
    return window.get() & 0xff;
  }

  /**
   * An unsigned number in base 128.
   *
   * @param end the byte before which it must end
   * @param what names it, for messages
   * @throws FormatException if it is cut off or takes more than 64 bits
   */
  long varint(long end, String what) throws IOException {
    long at = position();
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position() >= end) throw new FormatException(path, "byte " + at, what + " is cut off");
      int b = next();
      if (shift == 63 && b > 1) break;
      value |= (long) (b & 0x7f) << shift;
      if (b < 0x80) return value;
    }
    throw new FormatException(path, "byte " + at, what + " has more than 64 bits");
  }

  /** A length, and the byte at which what it measures ends: within {@code end}. */
  long end(long end, String what) throws IOException {
    long at = position();
    long length = varint(end, "the length of " + what);
    long left = end - position();
    if (Long.compareUnsigned(length, left) > 0) {
      throw new FormatException(path, "byte " + at,
          "%s should have %s bytes, but only %d are left there: cut short or damaged"
          .formatted(what, Long.toUnsignedString(length), left));
    }
    return position() + length;
  }

  /** A text with its length before it, of at most {@code most} bytes. */
  String text(long end, String what, int most) throws IOException {
    long at = position();
    long last = end(end, what);
    long length = last - position();
    if (length > most) {
      throw new FormatException(path, "byte " + at,
          "%s has %d bytes; at most %d are read".formatted(what, length, most));
    }
    byte[] bytes = new byte[(int) length];
    for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) next();
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(path, "byte " + at, what + " is no valid UTF-8", e);
    }
  }
}
