package org.dyr.ranker.data;

import java.nio.file.Path;

/** A data file that is missing, unreadable or wrong. The message names the file, the line if there is one, and why. */
public final class DataException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public DataException(String message) {
    super(message);
  }

  public DataException(Path file, String problem) {
    super(file + ": " + problem);
  }

  public DataException(Path file, long line, String problem) {
    super(file + ":" + line + ": " + problem);
  }

  public DataException(Path file, long line, String problem, Throwable cause) {
    super(file + ":" + line + ": " + problem, cause);
  }
}
