package org.dyr.peers;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** A protobuf message in the making; field numbers are those of onnx.proto. Holds what is small. */
final class OnnxMessage {
  private static final int VARINT = 0;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  OnnxMessage number(int field, long value) {
    varint((long) field << 3 | VARINT);
    varint(value);
    return this;
  }

  OnnxMessage real(int field, float value) {
    varint((long) field << 3 | FIXED32);
    int bits = Float.floatToRawIntBits(value);
    for (int i = 0; i < Integer.BYTES; i++) out.write(bits >>> Byte.SIZE * i);
    return this;
  }

  OnnxMessage bytes(int field, byte[] value) {
    beginBytes(field, value.length).out.writeBytes(value);
    return this;
  }

  OnnxMessage text(int field, String value) {
    return bytes(field, value.getBytes(StandardCharsets.UTF_8));
  }

  OnnxMessage message(int field, OnnxMessage value) {
    return bytes(field, value.toBytes());
  }

  /** The head of a field whose bytes the caller writes behind this message. */
  OnnxMessage beginBytes(int field, long length) {
    varint((long) field << 3 | BYTES);
    varint(length);
    return this;
  }

  private void varint(long value) {
    while ((value & ~0x7FL) != 0) {
      out.write((int) (value & 0x7F | 0x80));
      value >>>= 7;
    }
    out.write((int) value);
  }

  byte[] toBytes() {
    return out.toByteArray();
  }

  int length() {
    return out.size();
  }
}
