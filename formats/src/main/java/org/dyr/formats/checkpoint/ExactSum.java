package org.dyr.formats.checkpoint;

import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * The sum of doubles or of whole numbers without any rounding but the last. Every double is a whole number of 53 bits
 * times a power of two; the whole numbers are summed apart for every power. Good for 2^31 values.
 */
final class ExactSum {
  private static final int POWERS = 2048;
  private static final long FRACTION = (1L << 52) - 1;

  private final long[] low = new long[POWERS];  // of the lower 32 bits
  private final long[] high = new long[POWERS]; // of what is above them
  private double notFinite;                     // the sum of infinities and NaN, 0 without any

  void add(double x) {
    long bits = Double.doubleToRawLongBits(x);
    int exponent = (int) (bits >>> 52) & 0x7ff;
    if (exponent == 0x7ff) {
      notFinite += x;
      return;
    }
    long fraction = bits & FRACTION | (exponent == 0 ? 0 : 1L << 52);
    put(Math.max(exponent, 1), bits < 0 ? -fraction : fraction);
  }

  void add(long x) {
    put(1075, x); // the power 2^0
  }

  private void put(int power, long x) {
    low[power] += x & 0xffffffffL;
    high[power] += x >> 32;
  }

  /** The nearest double. */
  double value() {
    if (notFinite != 0) return notFinite; // true of NaN as well
    BigInteger total = BigInteger.ZERO; // in units of 2^-1074
    for (int power = 1; power < POWERS; power++) {
      if (low[power] == 0 && high[power] == 0) continue;
      BigInteger here = BigInteger.valueOf(high[power]).shiftLeft(32).add(BigInteger.valueOf(low[power]));
      total = total.add(here.shiftLeft(power - 1));
    }
    int zeros = total.signum() == 0 ? 0 : Math.min(total.getLowestSetBit(), 1074);
    BigDecimal units = new BigDecimal(BigInteger.TWO.pow(1074 - zeros));
    return new BigDecimal(total.shiftRight(zeros)).divide(units).doubleValue();
  }
}
