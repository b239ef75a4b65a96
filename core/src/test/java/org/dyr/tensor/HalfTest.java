package org.dyr.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class HalfTest {

  @Test void everyBf16ComesBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float x = Half.fromBf16((short) bits);
      if (Float.isNaN(x)) assertTrue(Float.isNaN(Half.fromBf16(Half.toBf16(x))));
      else assertEquals((short) bits, Half.toBf16(x));
    }
  }

  @Test void bf16RoundsToNearestTiesToEven() {
    assertEquals(1f, Half.fromBf16(Half.toBf16(1 + 0x1p-8f)));
    assertEquals(1 + 0x1p-6f, Half.fromBf16(Half.toBf16(1 + 0x1p-7f + 0x1p-8f)));
    assertEquals(1 + 0x1p-7f, Half.fromBf16(Half.toBf16(1 + 0x1p-8f + 0x1p-20f)));
    assertEquals(Float.POSITIVE_INFINITY, Half.fromBf16(Half.toBf16(Float.MAX_VALUE)));
  }

  @Test void aNanStaysOne() {
    assertTrue(Float.isNaN(Half.fromBf16(Half.toBf16(Float.intBitsToFloat(0x7F800001)))));
    assertTrue(Float.isNaN(Half.fromF16(Half.toF16(Float.NaN))));
  }

  @Test void f16KnowsItsLimits() {
    assertEquals(65504f, Half.fromF16(Half.toF16(65504f)));
    assertEquals(Float.POSITIVE_INFINITY, Half.fromF16(Half.toF16(65520f)));
    assertEquals(0x1p-24f, Half.fromF16(Half.toF16(0x1p-24f)));
  }
}
