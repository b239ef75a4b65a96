package org.dyr.tensor;

/** What one element is. F32 and F64 compute; BF16 and F16 store; I32 holds ids, offsets and counters. */
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

  public boolean isFloating() {
    return this != I32;
  }
}
