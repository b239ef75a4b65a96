package org.dyr.io;

import static org.dyr.io.SafeTensorsException.shown;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.io.SafeTensorsFile.Entry;

/** A header that has been checked against the format and against the bytes that follow it. Both maps keep its order. */
record Header(Map<String, Entry> entries, Map<String, String> metadata) {
  /** The most bytes that a header may have, as in the reference implementation. */
  static final int MAX_BYTES = 100_000_000;
  static final String METADATA = "__metadata__";

  /**
   * Parses and checks.
   *
   * @param json      the header, blanks at its end included
   * @param dataBytes bytes in the file after the header; the tensors must cover them all, each byte once
   * @param file      the file's name, for messages
   */
  static Header parse(byte[] json, long dataBytes, String file) {
    if (json.length == 0 || json[0] != '{') {
      throw SafeTensorsException.of("%s: the header must begin with '{': not a safetensors file", file);
    }
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = Map.of();
    // Never another kind of value: the text begins with a brace.
    for (Map.Entry<?, ?> member : ((Map<?, ?>) Json.parse(json, file + ", header")).entrySet()) {
      String name = (String) member.getKey();
      if (name.equals(METADATA)) {
        metadata = strings(member.getValue(), file);
      } else {
        entries.put(name, entry(name, member.getValue(), dataBytes, file + ": tensor " + shown(name)));
      }
    }
    checkCover(entries, dataBytes, file);
    return new Header(Collections.unmodifiableMap(entries), Collections.unmodifiableMap(metadata));
  }

  private static Map<String, String> strings(Object value, String file) {
    if (!(value instanceof Map<?, ?> map)) throw SafeTensorsException.of("%s: %s must be an object", file, METADATA);
    Map<String, String> strings = new LinkedHashMap<>();
    map.forEach((k, v) -> {
      if (!(v instanceof String s)) {
        throw SafeTensorsException.of("%s: %s: the value of %s must be a string", file, METADATA, shown(k));
      }
      strings.put((String) k, s);
    });
    return strings;
  }

  private static Entry entry(String name, Object value, long dataBytes, String where) {
    if (!(value instanceof Map<?, ?> map) || map.size() != 3
        || !(map.get("dtype") instanceof String dtype)
        || !(map.get("shape") instanceof List<?> shape)
        || !(map.get("data_offsets") instanceof List<?> offsets) || offsets.size() != 2) {
      throw SafeTensorsException.of("%s must be an object of exactly dtype (a string), shape (an array of "
          + "integers) and data_offsets (an array of two integers)", where);
    }
    StoredType type = StoredType.named(dtype);
    if (type == null) throw SafeTensorsException.of("%s: dtype %s is not one of the format's", where, shown(dtype));
    List<Long> dims = integers(shape, where, "shape");
    List<Long> range = integers(offsets, where, "data_offsets");
    long begin = range.get(0);
    long end = range.get(1);
    if (begin > end || end > dataBytes) {
      throw SafeTensorsException.of("%s: bytes %s to %s do not lie within the %s bytes of data",
          where, begin, end, dataBytes);
    }
    long bytes = bytes(dims, type, where);
    if (end - begin != bytes) {
      throw SafeTensorsException.of("%s: shape %s of %s takes %s bytes, but data_offsets hold %s",
          where, shown(dims), type, bytes, end - begin);
    }
    return new Entry(name, dtype, dims, begin, end);
  }

  private static List<Long> integers(List<?> values, String where, String what) {
    List<Long> out = new ArrayList<>(values.size());
    for (Object v : values) {
      if (!(v instanceof Long n) || n < 0) {
        throw SafeTensorsException.of("%s: %s must hold integers of 0 or more, not %s", where, what, shown(v));
      }
      out.add(n);
    }
    return List.copyOf(out);
  }

  private static long bytes(List<Long> dims, StoredType type, String where) {
    try {
      long bits = type.bits;
      for (long d : dims) bits = Math.multiplyExact(bits, d);
      if (bits % 8 == 0) return bits / 8;
    } catch (ArithmeticException e) {
      throw SafeTensorsException.of("%s: shape %s has more elements than a file can hold", where, shown(dims));
    }
    throw SafeTensorsException.of("%s: shape %s of %s does not fill whole bytes", where, shown(dims), type);
  }

  /** In the order of their data the tensors must follow each other without gap and end with the file. */
  private static void checkCover(Map<String, Entry> entries, long dataBytes, String file) {
    List<Entry> byPlace = new ArrayList<>(entries.values());
    byPlace.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long covered = 0;
    Entry last = null;
    for (Entry e : byPlace) {
      if (e.begin() < covered) {
        throw SafeTensorsException.of("%s: tensor %s begins at byte %s, inside tensor %s, which ends at %s",
            file, shown(e.name()), e.begin(), shown(last.name()), covered);
      }
      if (e.begin() > covered) {
        throw SafeTensorsException.of("%s: bytes %s to %s of the data, before tensor %s, belong to no tensor",
            file, covered, e.begin(), shown(e.name()));
      }
      covered = e.end();
      last = e;
    }
    if (covered != dataBytes) {
      throw SafeTensorsException.of("%s: the last %s bytes belong to no tensor", file, dataBytes - covered);
    }
  }
}
