package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** What a file is that is no MindSpore checkpoint, although it may be called {@code .ckpt}. */
final class Foreign {
  private static final byte CHECKPOINT = 0x0a;                       // field 1, with a length
  private static final long LEVEL_DB = 0xdb4775248b80fb57L;          // the last 8 bytes of a table, little-endian
  private static final int ZIP = 0x04034b50;                         // "PK", 3, 4
  private static final int HDF5 = 0x46444889;                        // 0x89, "HDF"
  private static final int GCM = 0x7f3a5ed8;
  private static final int CBC = 0x7f3a5ed9;
  private static final int SM4 = 0x7f3a5eda;
  private static final byte[] TENSORFLOW = "model_checkpoint_path".getBytes(StandardCharsets.US_ASCII);

  private Foreign() {}

  /** What the file is in words, or nothing if it may be a checkpoint. */
  static Optional<String> name(FileChannel file) throws IOException {
    long size = file.size();
    ByteBuffer head = read(file, 0, (int) Math.min(size, 32));
    if (size == 0) return Optional.of("an empty file");
    if (isSafeTensors(head, size)) return Optional.of("a safetensors file");
    if (head.get(0) == CHECKPOINT) return Optional.empty();
    int first = size < 4 ? 0 : head.getInt(0);
    String name = switch (first) {
      case GCM -> "an encrypted MindSpore file (AES-GCM); only plain ones are read";
      case CBC -> "an encrypted MindSpore file (AES-CBC); only plain ones are read";
      case SM4 -> "an encrypted MindSpore file (SM4-CBC); only plain ones are read";
      case ZIP -> "a zip archive, as PyTorch writes";
      case HDF5 -> "an HDF5 file, as Keras writes";
      default -> null;
    };
    if (name != null) return Optional.of(name);
    if ((first & 0xffffff) == 0x120108) {
      return Optional.of("a MindSpore parallel strategy file, which holds no weights");
    }
    if ((first & 0xff) == 0x80 && (first >> 8 & 0xff) <= 5) {
      return Optional.of("a Python pickle, as old PyTorch writes");
    }
    if (startsWith(head, TENSORFLOW)) return Optional.of("TensorFlow's list of checkpoints");
    if (size >= Long.BYTES && read(file, size - Long.BYTES, Long.BYTES).getLong(0) == LEVEL_DB) {
      return Optional.of("a TensorFlow checkpoint or its index");
    }
    return Optional.empty();
  }

  /** Whether eight bytes of length and a brace begin the file; no checkpoint has a tag of zero bytes there. */
  static boolean isSafeTensors(ByteBuffer head, long size) {
    return head.limit() > Long.BYTES && head.get(Long.BYTES) == '{' && head.getLong(0) > 0 && head.getLong(0) < size;
  }

  private static boolean startsWith(ByteBuffer head, byte[] bytes) {
    return head.limit() >= bytes.length && ByteBuffer.wrap(bytes).equals(head.slice(0, bytes.length));
  }

  /** Bytes at a place; the buffer ends early where the file does. */
  static ByteBuffer read(FileChannel file, long at, int bytes) throws IOException {
    ByteBuffer into = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (into.hasRemaining() && file.read(into, at + into.position()) > 0) { }
    return into.flip();
  }
}
