package org.dyr.ranker.model;

import java.nio.file.Path;

/** A model directory that cannot be read or written; the message names the file, what is wrong and what would help. */
public final class ModelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ModelException(String problem) {
    super(problem);
  }

  public ModelException(Path file, String problem) {
    super(file + ": " + problem);
  }

  public ModelException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }
}
