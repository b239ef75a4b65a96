package org.dyr.formats.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import org.dyr.io.AtomicFiles;

/**
 * Writes MindSpore's {@code .ckpt} as MindSpore does: one record a parameter, those over 512 MiB in slices. The bytes
 * of a tensor are copied in chunks from where they are.
 */
public final class MindSporeCheckpointWriter {
  private static final long SLICE = 512L << 20; // bytes
  private static final int CHUNK = 1 << 20;

  private MindSporeCheckpointWriter() {}

  /** What {@code dims} says of a scalar. */
  public enum Scalars {
    /** {@code [0]}: as all files up to 2023; every MindSpore reads it. */
    ZERO,
    /** Nothing: as MindSpore since December 2023. */
    NO_DIMS
  }

  /**
   * Writes a checkpoint, replacing the file of that name as {@link AtomicFiles#write} does.
   *
   * @param checksum whether the CRC-32 of all records is to stand behind them; MindSpore before June 2024 does not
   *     read such files
   * @throws IllegalArgumentException     if there are no tensors, two have one name, or a type has no name in MindSpore
   * @throws java.io.UncheckedIOException if the disk fails, full disks included; the old file is then unchanged
   */
  public static void write(Path path, List<StoredTensor> tensors, Scalars scalars, boolean checksum) {
    write(path, tensors, scalars, checksum, SLICE);
  }

  static void write(Path path, List<StoredTensor> tensors, Scalars scalars, boolean checksum, long slice) {
    check(path, tensors);
    AtomicFiles.write(path, file -> {
      Output out = new Output(file);
      for (StoredTensor t : tensors) write(t, scalars, slice, out);
      if (checksum) {
        ByteBuffer trailer = ByteBuffer.allocate(MindSporeCheckpoint.TRAILER_BYTES).put(MindSporeCheckpoint.TRAILER);
        out.write(trailer.putShort((short) 0).putLong(out.crc.getValue()).array(), trailer.position());
      }
    });
  }

  private static void check(Path path, List<StoredTensor> tensors) {
    if (tensors.isEmpty()) throw new IllegalArgumentException(path + ": a checkpoint holds at least one parameter");
    Set<String> names = new HashSet<>();
    for (StoredTensor t : tensors) {
      if (!names.add(t.name())) throw new IllegalArgumentException("two parameters are called " + t.name());
      if (t.type().mindSpore() == null) {
        throw new IllegalArgumentException("parameter %s: MindSpore's checkpoints have no type %s".formatted(t.name(),
            t.type()));
      }
    }
  }

  /**
   * In ceil(bytes / slice) parts of whole elements that differ by at most one, the longer first, as numpy.array_split.
   */
  private static void write(StoredTensor t, Scalars scalars, long slice, Output out) throws IOException {
    List<Long> dims = t.dims().isEmpty() && scalars == Scalars.ZERO ? List.of(0L) : t.dims();
    int unit = t.type().unit();
    long units = t.bytes() / unit;
    long parts = Math.max(1, Math.ceilDiv(t.bytes(), slice));
    try (InputStream in = t.content().open()) {
      for (long part = 0; part < parts; part++) {
        long bytes = unit * (units / parts + (part < units % parts ? 1 : 0));
        byte[] head = head(t, dims, bytes);
        out.write(head, head.length);
        copy(t, in, bytes, out);
      }
      if (in.read() >= 0) {
        throw new IllegalArgumentException("parameter %s: more content than its shape takes".formatted(t.name()));
      }
    }
  }

  /** A record up to its content. */
  private static byte[] head(StoredTensor t, List<Long> dims, long bytes) {
    ByteArrayOutputStream tensor = new ByteArrayOutputStream();
    for (long d : dims) {
      tensor.write(0x08);
      varint(tensor, d);
    }
    text(tensor, 0x12, t.type().mindSpore());
    tensor.write(0x1a);
    varint(tensor, bytes);
    ByteArrayOutputStream value = new ByteArrayOutputStream();
    text(value, 0x0a, t.name());
    value.write(0x12);
    varint(value, tensor.size() + bytes);
    value.writeBytes(tensor.toByteArray());
    ByteArrayOutputStream record = new ByteArrayOutputStream();
    record.write(0x0a);
    varint(record, value.size() + bytes);
    record.writeBytes(value.toByteArray());
    return record.toByteArray();
  }

  private static void text(ByteArrayOutputStream out, int key, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.write(key);
    varint(out, bytes.length);
    out.writeBytes(bytes);
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    for (; (value & ~0x7fL) != 0; value >>>= 7) out.write((int) (value & 0x7f | 0x80));
    out.write((int) value);
  }

  private static void copy(StoredTensor t, InputStream in, long bytes, Output out) throws IOException {
    for (long left = bytes; left > 0; ) {
      int read = in.read(out.chunk, 0, (int) Math.min(CHUNK, left));
      if (read < 0) {
        throw new IllegalArgumentException("parameter %s: its content ends %d bytes early".formatted(t.name(), left));
      }
      out.write(out.chunk, read);
      left -= read;
    }
  }

  /** The file, and the checksum of what went into it. */
  private static final class Output {
    private final FileChannel file;
    private final CRC32 crc = new CRC32();
    private final byte[] chunk = new byte[CHUNK];

    Output(FileChannel file) {
      this.file = file;
    }

    void write(byte[] bytes, int length) throws IOException {
      crc.update(bytes, 0, length);
      for (ByteBuffer b = ByteBuffer.wrap(bytes, 0, length); b.hasRemaining(); ) file.write(b);
    }
  }
}
