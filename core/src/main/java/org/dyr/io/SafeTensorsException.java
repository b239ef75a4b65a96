package org.dyr.io;

/**
 * A safetensors file, or the index of a sharded model, that cannot be read as one: missing, cut short, contradicting
 * itself, or of a type that is not read. The message names the file, the byte or the tensor, and what is wrong.
 */
public final class SafeTensorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int SHOWN = 120;

  public SafeTensorsException(String message) {
    super(message);
  }

  public SafeTensorsException(String message, Throwable cause) {
    super(message, cause);
  }

  static SafeTensorsException of(String format, Object... args) {
    return new SafeTensorsException(format.formatted(args));
  }

  /** Text out of a file, made fit for a message: in quotes, one printable line, cut after 120 characters. */
  static String shown(Object fromFile) {
    String text = String.valueOf(fromFile);
    StringBuilder s = new StringBuilder("\"");
    text.codePoints().limit(SHOWN).forEach(c -> s.appendCodePoint(Character.isISOControl(c) ? '?' : c));
    return s.append(text.codePointCount(0, text.length()) > SHOWN ? "...\"" : "\"").toString();
  }
}
