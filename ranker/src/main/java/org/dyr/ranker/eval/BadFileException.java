package org.dyr.ranker.eval;

import java.io.IOException;
import java.nio.file.Path;

/** A file that is not what it should be. The message names the file, the line where there is one, and what is wrong. */
public final class BadFileException extends IOException {
  private static final long serialVersionUID = 1L;

  /** A fault of the file as a whole. */
  public BadFileException(Path file, String what) {
    super(file + ": " + what);
  }

  /** A fault of one line, the first line being 1. */
  public BadFileException(Path file, long line, String what) {
    super(file + ":" + line + ": " + what);
  }
}
