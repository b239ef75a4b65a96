package org.dyr.formats.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;

/** What the values of one tensor are like, gathered as its bytes pass by. */
final class Values {
  private static final int FIRST = 5;
  private static final int TEXT = 1000; // characters shown
  private static final Charset UTF_32 = Charset.forName("UTF-32LE");

  private final ElementType type;
  private final ExactSum sum = new ExactSum();
  private final double[] first = new double[FIRST];
  private final long[] firstWhole = new long[FIRST];
  private final StringBuilder text = new StringBuilder();
  private long count;
  private double last;
  private double min = Double.POSITIVE_INFINITY;
  private double max = Double.NEGATIVE_INFINITY;
  private long lastWhole;
  private long minWhole = Long.MAX_VALUE;
  private long maxWhole = Long.MIN_VALUE;

  Values(ElementType type) {
    this.type = type;
  }

  /** Takes whole elements, little-endian. */
  void take(ByteBuffer b) {
    switch (type) {
      case BOOL, UINT8 -> { while (b.hasRemaining()) whole(b.get() & 0xff); }
      case INT8 -> { while (b.hasRemaining()) whole(b.get()); }
      case INT16 -> { while (b.hasRemaining()) whole(b.getShort()); }
      case UINT16 -> { while (b.hasRemaining()) whole(b.getShort() & 0xffff); }
      case INT32 -> { while (b.hasRemaining()) whole(b.getInt()); }
      case UINT32 -> { while (b.hasRemaining()) whole(b.getInt() & 0xffffffffL); }
      case INT64 -> { while (b.hasRemaining()) whole(b.getLong()); }
      case UINT64 -> {
        while (b.hasRemaining()) {
          whole(b.getLong() ^ Long.MIN_VALUE); // 2^63 too small, which keeps the order
          sum.add(0x1p63);
        }
      }
      case FLOAT16 -> { while (b.hasRemaining()) real(Float.float16ToFloat(b.getShort())); }
      case BFLOAT16 -> { while (b.hasRemaining()) real(Float.intBitsToFloat(b.getShort() << 16)); }
      case FLOAT32 -> { while (b.hasRemaining()) real(b.getFloat()); }
      case FLOAT64 -> { while (b.hasRemaining()) real(b.getDouble()); }
      case TEXT -> {
        if (text.length() < TEXT) text.append(UTF_32.decode(b.limit(b.position() + Math.min(b.remaining(), 4 * TEXT))));
      }
      case INT4, FLOAT8_E5M2, FLOAT8_E4M3, FLOAT8_E8M0, COMPLEX64 -> { } // have no values here, only bytes
    }
  }

  private void real(double x) {
    if (count < FIRST) first[(int) count] = x;
    count++;
    last = x;
    sum.add(x);
    min = Math.min(min, x);
    max = Math.max(max, x);
  }

  private void whole(long x) {
    if (count < FIRST) firstWhole[(int) count] = x;
    count++;
    lastWhole = x;
    sum.add(x);
    minWhole = Math.min(minWhole, x);
    maxWhole = Math.max(maxWhole, x);
  }

  /** Adds first, last, sum, min and max; of a text, the text; nothing of a type without numbers. */
  void describe(ObjectNode to) {
    switch (type) {
      case TEXT -> to.put("text", text.toString());
      case INT4, FLOAT8_E5M2, FLOAT8_E4M3, FLOAT8_E8M0, COMPLEX64 -> { }
      case FLOAT16, BFLOAT16, FLOAT32, FLOAT64 -> {
        ArrayNode some = to.putArray("first");
        for (int i = 0; i < Math.min(count, FIRST); i++) some.add(first[i]);
        if (count > 0) to.put("last", last).put("sum", sum.value()).put("min", min).put("max", max);
      }
      default -> {
        ArrayNode some = to.putArray("first");
        for (int i = 0; i < Math.min(count, FIRST); i++) some.add(wide(firstWhole[i]));
        if (count > 0) {
          to.put("last", wide(lastWhole)).put("sum", sum.value()).put("min", wide(minWhole)).put("max", wide(maxWhole));
        }
      }
    }
  }

  private BigInteger wide(long x) {
    return type == ElementType.UINT64 ? new BigInteger(Long.toUnsignedString(x ^ Long.MIN_VALUE))
        : BigInteger.valueOf(x);
  }
}
