package org.dyr.io;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259) as strictly as an untrusted file needs it. An object becomes a {@code Map<String, Object>} in the
 * order of the text, an array a {@code List<Object>}, an integer a {@code Long}, any other number a {@code Double};
 * then {@code String}, {@code Boolean} and null. Refused: text that is not UTF-8, a key used twice, a lone surrogate,
 * an integer beyond 64 bits, anything after the value, nesting deeper than 64, and more than 1,000,000 values, which
 * bounds the memory that a small file can claim.
 */
final class Json {
  static final int MAX_DEPTH = 64;
  static final int MAX_VALUES = 1_000_000;
  private static final int MAX_NUMBER = 64; // characters of one number

  private final byte[] text;
  private final String source;
  private int at;
  private int values;

  private Json(byte[] text, String source) {
    this.text = text;
    this.source = source;
  }

  /**
   * The one value that {@code text} holds.
   *
   * @param source what the text is, for messages: {@code SOURCE, byte 17: ...}
   */
  static Object parse(byte[] text, String source) {
    Json json = new Json(text, source);
    Object value = json.value(0);
    if (json.peek() >= 0) throw json.wrong(json.at, "text after the end of the value");
    return value;
  }

  private Object value(int depth) {
    int c = peek();
    if (++values > MAX_VALUES) throw wrong(at, "more than " + MAX_VALUES + " values");
    if (depth > MAX_DEPTH) throw wrong(at, "nested deeper than " + MAX_DEPTH);
    return switch (c) {
      case '{' -> object(depth);
      case '[' -> array(depth);
      case '"' -> string();
      case 't' -> word("true", Boolean.TRUE);
      case 'f' -> word("false", Boolean.FALSE);
      case 'n' -> word("null", null);
      default -> number();
    };
  }

  private Map<String, Object> object(int depth) {
    Map<String, Object> members = new LinkedHashMap<>();
    for (boolean more = begins('}'); more; more = continues('}')) {
      if (peek() != '"') throw wrong(at, "a key in double quotes was expected");
      int start = at;
      String key = string();
      if (members.containsKey(key)) throw wrong(start, "key " + SafeTensorsException.shown(key) + " occurs twice");
      if (peek() != ':') throw wrong(at, "':' was expected after a key");
      at++;
      members.put(key, value(depth + 1));
    }
    return members;
  }

  private List<Object> array(int depth) {
    List<Object> items = new ArrayList<>(4);
    for (boolean more = begins(']'); more; more = continues(']')) items.add(value(depth + 1));
    return items;
  }

  /** Passes the opening bracket, and the closing one if it follows at once; whether there is a first item. */
  private boolean begins(char close) {
    at++;
    if (peek() != close) return true;
    at++;
    return false;
  }

  /** Passes the comma or the closing bracket after an item; whether there is a next one. */
  private boolean continues(char close) {
    int c = peek();
    if (c != ',' && c != close) throw wrong(at, "',' or '" + close + "' was expected");
    at++;
    return c == ',';
  }

  private String string() {
    StringBuilder out = null;
    int run = ++at; // where the bytes not yet decoded begin
    while (true) {
      if (at == text.length) throw wrong(at, "the text ends inside a string");
      int c = text[at];
      if (c == '"') {
        String rest = decode(run, at++);
        return out == null ? rest : out.append(rest).toString();
      }
      if (c >= 0 && c < 0x20) throw wrong(at, "a control character in a string must be escaped");
      if (c == '\\') {
        if (out == null) out = new StringBuilder();
        out.append(decode(run, at));
        escape(out);
        run = at;
      } else {
        at++;
      }
    }
  }

  private String decode(int from, int to) {
    String s = new String(text, from, to - from, UTF_8);
    byte[] back = s.getBytes(UTF_8); // differs where something malformed was replaced
    int differs = Arrays.mismatch(text, from, to, back, 0, back.length);
    if (differs >= 0) throw wrong(from + differs, "not valid UTF-8");
    return s;
  }

  private void escape(StringBuilder out) {
    int start = at++;
    int c = at < text.length ? text[at++] : -1;
    int simple = "\"\\/bfnrt".indexOf(c);
    if (simple < 0 && c != 'u') throw wrong(start, "an unknown escape");
    char unit = simple < 0 ? hex4(start) : "\"\\/\b\f\n\r\t".charAt(simple);
    out.append(unit);
    if (!Character.isSurrogate(unit)) return;
    boolean paired = Character.isHighSurrogate(unit) && accept("\\") && accept("u");
    char low = paired ? hex4(start) : 0;
    if (!Character.isLowSurrogate(low)) throw wrong(start, "a lone surrogate");
    out.append(low);
  }

  private char hex4(int start) {
    int unit = 0;
    for (int i = 0; i < 4; i++) {
      int digit = at < text.length ? Character.digit(text[at++], 16) : -1;
      if (digit < 0) throw wrong(start, "\\u needs four hexadecimal digits");
      unit = unit << 4 | digit;
    }
    return (char) unit;
  }

  private Object number() {
    int start = at;
    accept("-");
    if (!accept("0")) digits(start);
    boolean fraction = accept(".");
    if (fraction) digits(start);
    boolean exponent = accept("eE");
    if (exponent) {
      accept("+-");
      digits(start);
    }
    if (at - start > MAX_NUMBER) throw wrong(start, "a number of more than " + MAX_NUMBER + " characters");
    String number = new String(text, start, at - start, US_ASCII);
    try {
      return fraction || exponent ? (Object) Double.valueOf(number) : Long.valueOf(number);
    } catch (NumberFormatException e) {
      throw wrong(start, "integer " + number + " does not fit into 64 bits");
    }
  }

  private void digits(int start) {
    int first = at;
    while (accept("0123456789")) continue;
    if (at == first) throw wrong(start, start == text.length ? "the text ends too early" : "not a JSON value");
  }

  /** Passes the next byte if it is one of these characters. */
  private boolean accept(String characters) {
    if (at == text.length || characters.indexOf(text[at]) < 0) return false;
    at++;
    return true;
  }

  private Object word(String word, Object value) {
    for (String letter : word.split("")) {
      if (!accept(letter)) throw wrong(at, "not a JSON value");
    }
    return value;
  }

  /** Skips blanks; the next byte, or -1 at the end. */
  private int peek() {
    while (at < text.length && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) at++;
    return at < text.length ? text[at] & 0xff : -1;
  }

  private SafeTensorsException wrong(int position, String what) {
    return SafeTensorsException.of("%s, byte %s: %s", source, position, what);
  }
}
