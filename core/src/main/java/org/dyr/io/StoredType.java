package org.dyr.io;

import org.dyr.tensor.DType;

/**
 * The element types of the safetensors format, by the names that stand in a header. Those with a {@link DType} of
 * their own, and I64, can be read as numbers; the others only as bytes.
 */
enum StoredType {
  BOOL(8), F4(4), F6_E2M3(6), F6_E3M2(6), U8(8), I8(8),
  F8_E5M2(8), F8_E4M3(8), F8_E8M0(8), F8_E4M3FNUZ(8), F8_E5M2FNUZ(8),
  I16(16), U16(16), F16(DType.F16), BF16(DType.BF16),
  I32(DType.I32), U32(32), F32(DType.F32), C64(64), F64(DType.F64), I64(64), U64(64);

  /** Bits of one element. */
  final int bits;
  /** The same type in the engine, or null. */
  final DType same;

  StoredType(int bits) {
    this.bits = bits;
    this.same = null;
  }

  StoredType(DType same) {
    this.bits = 8 * same.bytes();
    this.same = same;
  }

  /** The type of that name, or null. */
  static StoredType named(String name) {
    for (StoredType t : values()) {
      if (t.name().equals(name)) return t;
    }
    return null;
  }
}
