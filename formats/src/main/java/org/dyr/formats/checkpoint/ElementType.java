package org.dyr.formats.checkpoint;

import java.util.List;

/** What one element of a stored tensor is, under the names of the formats; all little-endian. */
public enum ElementType {
  BOOL("Bool", "BOOL", 8),
  INT8("Int8", "I8", 8),
  UINT8("UInt8", "U8", 8),
  INT16("Int16", "I16", 16),
  UINT16("UInt16", "U16", 16),
  INT32("Int32", "I32", 32),
  UINT32("UInt32", "U32", 32),
  INT64("Int64", "I64", 64),
  UINT64("UInt64", "U64", 64),
  FLOAT16("Float16", "F16", 16),
  BFLOAT16("BFloat16", "BF16", 16),
  FLOAT32("Float32", "F32", 32),
  FLOAT64("Float64", "F64", 64),
  /** One character in UTF-32; MindSpore only. A text is one scalar of as many elements as it has characters. */
  TEXT("str", null, 32),
  /** Two in a byte; MindSpore only. */
  INT4("Int4", null, 4),
  FLOAT8_E5M2(null, "F8_E5M2", 8),
  FLOAT8_E4M3(null, "F8_E4M3", 8),
  FLOAT8_E8M0(null, "F8_E8M0", 8),
  COMPLEX64(null, "C64", 64);

  private final String mindSpore;
  private final String safeTensors;
  private final int bits;

  ElementType(String mindSpore, String safeTensors, int bits) {
    this.mindSpore = mindSpore;
    this.safeTensors = safeTensors;
    this.bits = bits;
  }

  /** The name in a MindSpore checkpoint, such as {@code Float32}; null where it has none. */
  public String mindSpore() {
    return mindSpore;
  }

  /** The name in a safetensors file, such as {@code F32}; null where it has none. */
  public String safeTensors() {
    return safeTensors;
  }

  /** Bits of one element. */
  public int bits() {
    return bits;
  }

  /** Bytes that cannot be parted: those of one element, 1 where several share one. */
  int unit() {
    return Math.max(1, bits / 8);
  }

  /**
   * Bytes of a tensor of these sizes.
   *
   * @throws ArithmeticException if they are more than a long counts
   */
  public long bytes(List<Long> dims) {
    long n = 1;
    for (long d : dims) n = Math.multiplyExact(n, d);
    return bits < 8 ? Math.ceilDiv(n, 8 / bits) : Math.multiplyExact(n, (long) bits / 8);
  }

  /** The type that a MindSpore checkpoint calls so, or null. */
  static ElementType ofMindSpore(String name) {
    for (ElementType t : values()) {
      if (name.equals(t.mindSpore)) return t;
    }
    return null;
  }

  /** The type that a safetensors file calls so, or null. */
  static ElementType ofSafeTensors(String name) {
    for (ElementType t : values()) {
      if (name.equals(t.safeTensors)) return t;
    }
    return null;
  }
}
