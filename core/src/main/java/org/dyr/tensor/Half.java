package org.dyr.tensor;

/**
 * The two 16-bit storage types against float. fp16 is IEEE 754 binary16 (the JDK converts it); bf16 is the upper half
 * of a float: 8 bits of exponent, 7 of fraction, rounded to nearest, ties to even.
 */
public final class Half {
  private Half() {}

  public static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Rounds to nearest even; a NaN stays a (quiet) NaN and keeps its sign. */
  public static short toBf16(float x) {
    return bitsToBf16(Float.floatToRawIntBits(x));
  }

  /** As {@link #toBf16(float)} of a float's bits, without a branch: loops over it become vectors. */
  public static short bitsToBf16(int bits) {
    int rounded = bits + 0x7fff + (bits >>> 16 & 1);
    int nan = bits | 0x0040_0000;
    return (short) (((bits & 0x7fff_ffff) > 0x7f80_0000 ? nan : rounded) >>> 16);
  }

  public static float fromF16(short bits) {
    return Float.float16ToFloat(bits);
  }

  public static short toF16(float x) {
    return Float.floatToFloat16(x);
  }
}
