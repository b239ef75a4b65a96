package org.dyr.cpu.widening;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;

/** fp32 to the 16-bit types and back, over ranges of elements; loops that the compiler turns into vectors. */
final class Conversions {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

  private Conversions() {}

  static void widen(DType from, MemorySegment x, MemorySegment y, int begin, int end) {
    if (from == DType.BF16) {
      for (int i = begin; i < end; i++) y.set(INT, (long) i * 4, x.get(SHORT, (long) i * 2) << 16);
    } else {
      for (int i = begin; i < end; i++) y.set(FLOAT, (long) i * 4, Half.fromF16(x.get(SHORT, (long) i * 2)));
    }
  }

  static void round(DType to, MemorySegment x, MemorySegment y, int begin, int end) {
    if (to == DType.BF16) {
      for (int i = begin; i < end; i++) y.set(SHORT, (long) i * 2, Half.bitsToBf16(x.get(INT, (long) i * 4)));
    } else {
      for (int i = begin; i < end; i++) y.set(SHORT, (long) i * 2, Half.toF16(x.get(FLOAT, (long) i * 4)));
    }
  }
}
