package org.dyr.peers;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A constant of an ONNX graph. Its numbers are made while it is written, so a model needs no memory.
 *
 * @param bytes of an element
 * @param numbers writes the element at a place
 */
record OnnxConstant(String name, int type, int bytes, long[] shape, Numbers numbers) {
  static final int FLOAT = 1;
  static final int INT8 = 3;
  static final int INT32 = 6;
  static final int INT64 = 7;

  private static final int BUFFER = 1 << 16;
  private static final int DIMENSIONS = 1;
  private static final int DATA_TYPE = 2;
  private static final int NAME = 8;
  private static final int RAW_DATA = 9;

  /** Puts the element at a place, little-endian. */
  interface Numbers {
    void put(long place, ByteBuffer to);
  }

  /** An fp32 number for each place. */
  interface Floats {
    float at(long place);
  }

  static OnnxConstant floats(String name, Floats numbers, long... shape) {
    return new OnnxConstant(name, FLOAT, Float.BYTES, shape, (i, to) -> to.putFloat(numbers.at(i)));
  }

  static OnnxConstant bytes(String name, Floats numbers, long... shape) {
    return new OnnxConstant(name, INT8, 1, shape, (i, to) -> to.put((byte) numbers.at(i)));
  }

  static OnnxConstant longs(String name, long... values) {
    return new OnnxConstant(name, INT64, Long.BYTES, new long[] {values.length},
        (i, to) -> to.putLong(values[(int) i]));
  }

  private long count() {
    long n = 1;
    for (long d : shape) n *= d;
    return n;
  }

  private OnnxMessage head() {
    OnnxMessage m = new OnnxMessage();
    for (long d : shape) m.number(DIMENSIONS, d);
    return m.number(DATA_TYPE, type).text(NAME, name).beginBytes(RAW_DATA, count() * bytes);
  }

  /** Bytes of the message. */
  long length() {
    return head().length() + count() * bytes;
  }

  void writeTo(OutputStream out) throws IOException {
    out.write(head().toBytes());
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);
    for (long i = 0, n = count(); i < n; i++) {
      numbers.put(i, buffer);
      if (buffer.remaining() < bytes || i == n - 1) {
        out.write(buffer.array(), 0, buffer.position());
        buffer.clear();
      }
    }
  }
}
