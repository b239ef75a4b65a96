package org.dyr.ranker.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.Locale;

/**
 * Standard output whose failures are seen. System.out and PrintWriter swallow IOException; here it comes unchecked, so
 * that a full disk fails the command and a reader that went away (head) ends it at once.
 */
final class StandardOutput extends OutputStream {
  private final FileOutputStream out = new FileOutputStream(FileDescriptor.out);

  /** The reader of a pipe has closed it: no error, but nothing more to do. */
  static final class ClosedPipe extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @Override public void write(int b) {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override public void write(byte[] bytes, int offset, int length) {
    try {
      out.write(bytes, offset, length);
    } catch (IOException e) {
      // Java has no type for EPIPE; the system's words are all there is.
      if (String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("pipe")) throw new ClosedPipe();
      throw new UncheckedIOException("standard output: " + e.getMessage(), e);
    }
  }
}
