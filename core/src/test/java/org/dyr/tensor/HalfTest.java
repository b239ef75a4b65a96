package org.dyr.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HalfTest {

  @ParameterizedTest
  @CsvSource({
      "0000, 00000000", "8000, 80000000", "3f80, 3f800000", "c049, c0490000",
      "7f80, 7f800000", "ff80, ff800000", "7fc0, 7fc00000",
      "0001, 00010000", "7f7f, 7f7f0000", // the smallest subnormal, the largest finite
  })
  void bf16IsTheUpperHalfOfAFloat(String half, String whole) {
    short bits = (short) Integer.parseInt(half, 16);
    assertEquals(Integer.parseUnsignedInt(whole, 16), Float.floatToRawIntBits(Half.fromBf16(bits)));
    assertEquals(bits, Half.toBf16(Half.fromBf16(bits)));
  }

  @ParameterizedTest
  @CsvSource({
      "3f807fff, 3f80", "3f808000, 3f80", "3f808001, 3f81", // below, at and above the middle; the tie goes to even
      "3f817fff, 3f81", "3f818000, 3f82",                   // this tie goes up to even
      "bf818000, bf82", "3fffffff, 4000",                   // the sign stays; a carry into the exponent
      "7f7fffff, 7f80", "ff7f8000, ff80",                   // too large: infinity
      "00008000, 0000", "00008001, 0001", "007fffff, 0080", // subnormals round like the rest
      "7f800001, 7fc0", "ff812345, ffc1", "7fffffff, 7fff", // a NaN stays one, also where its low bits are cut off
  })
  void bf16RoundsToNearestEven(String whole, String half) {
    float x = Float.intBitsToFloat(Integer.parseUnsignedInt(whole, 16));
    assertEquals(half, "%04x".formatted(Half.toBf16(x)));
  }

  @ParameterizedTest
  @CsvSource({
      "0000, 0", "8000, -0.0", "3c00, 1", "c000, -2", "7bff, 65504",
      "0400, 0x1p-14", "0001, 0x1p-24", "03ff, 0x1.ff8p-15", "7c00, Infinity", "fc00, -Infinity", "3555, 0x1.554p-2",
  })
  void f16Values(String half, String value) {
    short bits = (short) Integer.parseInt(half, 16);
    assertEquals(Float.floatToRawIntBits(Float.parseFloat(value)), Float.floatToRawIntBits(Half.fromF16(bits)));
    assertEquals(bits, Half.toF16(Float.parseFloat(value)));
  }

  @ParameterizedTest
  @CsvSource({
      "2049, 6800", "2051, 6802", "65519, 7bff", "65520, 7c00", "0x1p-25, 0000", "0x1.000002p-25, 0001", "-1e30, fc00",
  })
  void f16RoundsToNearestEven(String value, String half) {
    assertEquals(half, "%04x".formatted(Half.toF16(Float.parseFloat(value))));
  }

  @Test
  void all65536ValuesComeBack() {
    for (int i = 0; i < 1 << 16; i++) {
      short bits = (short) i;
      float b = Half.fromBf16(bits);
      float h = Half.fromF16(bits);
      if (Float.isNaN(b)) assertTrue(Float.isNaN(Half.fromBf16(Half.toBf16(b))), "bf16 " + i);
      else assertEquals(bits, Half.toBf16(b));
      if (Float.isNaN(h)) assertTrue(Float.isNaN(Half.fromF16(Half.toF16(h))), "f16 " + i);
      else assertEquals(bits, Half.toF16(h));
    }
  }

  @Test
  void bf16IsNeverFurtherThanItsNeighbours() {
    Random random = new Random(11);
    for (int i = 0; i < 100_000; i++) {
      float x = Float.intBitsToFloat(random.nextInt());
      short got = Half.toBf16(x);
      if (Float.isNaN(x) || Float.isInfinite(Half.fromBf16(got))) continue;
      double error = Math.abs((double) x - Half.fromBf16(got));
      for (int step = -1; step <= 1; step += 2) {
        float other = Half.fromBf16((short) (got + step));
        assertTrue(!(Math.abs((double) x - other) < error), () -> "%a became %a, not %a"
            .formatted(x, Half.fromBf16(got), other));
      }
    }
  }
}
