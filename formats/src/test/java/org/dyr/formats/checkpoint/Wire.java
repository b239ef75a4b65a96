package org.dyr.formats.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Protobuf by hand, right or wrong: what the tests feed to the reader. */
final class Wire {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  Wire raw(int... bytes) {
    for (int b : bytes) out.write(b);
    return this;
  }

  Wire varint(long value) {
    for (; (value & ~0x7fL) != 0; value >>>= 7) out.write((int) (value & 0x7f | 0x80));
    out.write((int) value);
    return this;
  }

  Wire bytes(int key, byte[] content) {
    raw(key).varint(content.length);
    out.writeBytes(content);
    return this;
  }

  Wire text(int key, String text) {
    return bytes(key, text.getBytes(StandardCharsets.UTF_8));
  }

  Wire bytes(int key, Wire message) {
    return bytes(key, message.toByteArray());
  }

  byte[] toByteArray() {
    return out.toByteArray();
  }

  static Wire tensor(String type, byte[] content, long... dims) {
    Wire w = new Wire();
    for (long d : dims) w.raw(0x08).varint(d);
    return w.text(0x12, type).bytes(0x1a, content);
  }

  /** A record of a checkpoint. */
  Wire record(String tag, Wire tensor) {
    return bytes(0x0a, new Wire().text(0x0a, tag).bytes(0x12, tensor));
  }

  Wire record(String tag, String type, byte[] content, long... dims) {
    return record(tag, tensor(type, content, dims));
  }
}
