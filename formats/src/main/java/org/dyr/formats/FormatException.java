package org.dyr.formats;

import java.nio.file.Path;

/**
 * A file that is not what its format asks for; the message names the file, the place in it, and what is wrong there.
 */
public final class FormatException extends RuntimeException {

  /**
   * @param place where in the file, such as {@code "page 3, row 12"} or {@code "byte 80"}; empty for the file as a
   *     whole
   */
  public FormatException(Path file, String place, String problem) {
    this(file, place, problem, null);
  }

  public FormatException(Path file, String place, String problem, Throwable cause) {
    super(file + (place.isEmpty() ? "" : ", " + place) + ": " + problem, cause);
  }
}
