package org.dyr.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What one element is: F32 and F64; the two 16-bit types, whose sums and statistics are kept in F32; I32 holds ids,
 * offsets and counters.
 */
public enum DType {
  F32(4),
  F64(8),
  BF16(2),
  F16(2),
  I32(4);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Reads an element. */
  public double get(MemorySegment from, long index) {
    return switch (this) {
      case F32 -> from.getAtIndex(ValueLayout.JAVA_FLOAT, index);
      case F64 -> from.getAtIndex(ValueLayout.JAVA_DOUBLE, index);
      case BF16 -> Half.fromBf16(from.getAtIndex(ValueLayout.JAVA_SHORT, index));
      case F16 -> Half.fromF16(from.getAtIndex(ValueLayout.JAVA_SHORT, index));
      case I32 -> from.getAtIndex(ValueLayout.JAVA_INT, index);
    };
  }

  /** Writes an element, rounded to the nearest, a 16-bit one from F32; too large a number becomes infinite. */
  public void set(MemorySegment to, long index, double x) {
    switch (this) {
      case F32 -> to.setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) x);
      case F64 -> to.setAtIndex(ValueLayout.JAVA_DOUBLE, index, x);
      case BF16 -> to.setAtIndex(ValueLayout.JAVA_SHORT, index, Half.toBf16((float) x));
      case F16 -> to.setAtIndex(ValueLayout.JAVA_SHORT, index, Half.toF16((float) x));
      case I32 -> to.setAtIndex(ValueLayout.JAVA_INT, index, (int) x);
    }
  }

  public boolean isFloating() {
    return this != I32;
  }

  /** Whether this is BF16 or F16. */
  public boolean isHalf() {
    return this == BF16 || this == F16;
  }

  /**
   * The type beside tensors of this one that sums over them have, and with them all that is a vector: biases, the
   * weights of norms, means, gradients of those. F32 for the 16-bit types, else the type itself.
   */
  public DType accumulator() {
    return isHalf() ? F32 : this;
  }
}
