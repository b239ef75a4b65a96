package org.dyr.formats.mindrecord;

/** What is wrong with a piece of a file. Whoever knows where the piece lies makes it a FormatException. */
final class Malformed extends Exception {
  private static final long serialVersionUID = 1L;

  Malformed(String problem) {
    super(problem);
  }

  Malformed(String problem, Throwable cause) {
    super(problem, cause);
  }
}
