package org.dyr.formats.checkpoint;

/** Text out of a file, made fit for a message. */
final class Shown {
  private static final int LENGTH = 120;

  private Shown() {}

  /** In quotes, one printable line, cut after 120 characters. */
  static String text(String fromFile) {
    StringBuilder s = new StringBuilder("\"");
    fromFile.codePoints().limit(LENGTH).forEach(c -> s.appendCodePoint(Character.isISOControl(c) ? '?' : c));
    return s.append(fromFile.codePointCount(0, fromFile.length()) > LENGTH ? "...\"" : "\"").toString();
  }
}
