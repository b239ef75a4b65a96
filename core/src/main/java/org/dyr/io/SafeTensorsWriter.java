package org.dyr.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;

/** Writes safetensors files: all or nothing, and the same bytes for the same tensors. */
public final class SafeTensorsWriter {
  private static final int ALIGNMENT = 8;      // the data begins at a multiple of this
  private static final int CHUNK = 1 << 20;    // bytes staged per write; a multiple of every element size

  private SafeTensorsWriter() {}

  /**
   * A tensor to be written.
   *
   * @param data its elements, row-major and in the machine's byte order: exactly {@code shape.size() * type.bytes()}
   *     bytes
   */
  public record Tensor(String name, DType type, Shape shape, MemorySegment data) {
    public Tensor {
      long bytes = Math.multiplyExact(shape.size(), type.bytes());
      if (data.byteSize() != bytes) {
        throw new ShapeException("tensor %s: %s%s takes %s bytes, but its data has %s", name, type, shape, bytes,
            data.byteSize());
      }
    }
  }

  /**
   * Writes a file, replacing the one of that name as {@link AtomicFiles#write} does. Tensors lie one after the other
   * in the order given.
   *
   * @param metadata written in the order of its keys; loaders of Hugging Face models expect {@code format: pt}
   * @throws IllegalArgumentException      if a name occurs twice, is {@code __metadata__}, or is not valid Unicode
   * @throws java.io.UncheckedIOException if the disk fails, full disks included; the old file is then unchanged
   */
  public static void write(Path path, List<Tensor> tensors, Map<String, String> metadata) {
    byte[] header = header(tensors, metadata);
    AtomicFiles.write(path, file -> {
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      drain(length.putLong(0, header.length), file);
      drain(ByteBuffer.wrap(header), file);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment staging = arena.allocate(CHUNK, Long.BYTES);
        for (Tensor t : tensors) write(t, staging, file);
      }
    });
  }

  private static void write(Tensor t, MemorySegment staging, FileChannel file) throws IOException {
    for (long done = 0; done < t.data().byteSize(); done += CHUNK) {
      int bytes = (int) Math.min(CHUNK, t.data().byteSize() - done);
      Conversion.store(t.type(), t.data(), done, staging, bytes / t.type().bytes());
      drain(staging.asSlice(0, bytes).asByteBuffer(), file);
    }
  }

  private static void drain(ByteBuffer bytes, FileChannel file) throws IOException {
    while (bytes.hasRemaining()) file.write(bytes);
  }

  /** The header, filled up with blanks so that the data behind it is aligned. */
  static byte[] header(List<Tensor> tensors, Map<String, String> metadata) {
    StringBuilder json = new StringBuilder("{");
    if (!metadata.isEmpty()) {
      json.append(quote(Header.METADATA)).append(":{");
      new TreeMap<>(metadata).forEach((k, v) ->
          json.append(quote(k)).append(':').append(quote(v)).append(','));
      json.setCharAt(json.length() - 1, '}');
      json.append(',');
    }
    Set<String> names = new HashSet<>();
    long begin = 0;
    for (Tensor t : tensors) {
      if (!names.add(t.name()) || t.name().equals(Header.METADATA)) {
        throw new IllegalArgumentException("tensor name " + t.name() + " is taken: names must differ, also from "
            + Header.METADATA);
      }
      long end = Math.addExact(begin, t.data().byteSize());
      json.append(quote(t.name())).append(":{\"dtype\":\"").append(t.type()).append("\",\"shape\":[");
      for (int i = 0; i < t.shape().rank(); i++) json.append(i == 0 ? "" : ",").append(t.shape().dim(i));
      json.append("],\"data_offsets\":[").append(begin).append(',').append(end).append("]},");
      begin = end;
    }
    if (json.length() > 1) json.setLength(json.length() - 1);
    byte[] text = json.append('}').toString().getBytes(StandardCharsets.UTF_8);
    byte[] header = Arrays.copyOf(text, Math.ceilDiv(text.length, ALIGNMENT) * ALIGNMENT);
    Arrays.fill(header, text.length, header.length, (byte) ' ');
    if (header.length > Header.MAX_BYTES) {
      throw new IllegalArgumentException(header.length + " bytes of header: the format allows " + Header.MAX_BYTES);
    }
    return header;
  }

  /** {@code s} as a JSON string, in quotes. A lone surrogate has no UTF-8 form and is an error. */
  private static String quote(String s) {
    StringBuilder out = new StringBuilder(s.length() + 2).append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      if (Character.isHighSurrogate(c) && i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1))) {
        out.append(c).append(s.charAt(++i));
      } else if (Character.isSurrogate(c)) {
        throw new IllegalArgumentException("a lone surrogate at character " + i + " cannot be written as UTF-8");
      } else if (c < 0x20) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c == '"' || c == '\\' ? "\\" : "").append(c);
      }
    }
    return out.append('"').toString();
  }
}
