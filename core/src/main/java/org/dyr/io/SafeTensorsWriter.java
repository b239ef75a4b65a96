package org.dyr.io;

import java.io.IOException;
import java.io.InputStream;
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
   * A tensor whose bytes come from elsewhere and are written as they are, of any type that the format has.
   *
   * @param dtype   the format's name of the element type, such as {@code I64}
   * @param dims    the sizes of the axes; none for a scalar
   * @param content gives the elements, row-major and little-endian: exactly as many bytes as type and sizes take
   */
  public record Stored(String name, String dtype, List<Long> dims, Content content) {
    public Stored {
      dims = List.copyOf(dims);
    }

    long bytes() {
      StoredType type = StoredType.named(dtype);
      if (type == null) {
        throw new IllegalArgumentException("tensor %s: no type %s in safetensors".formatted(name, dtype));
      }
      long bits = type.bits;
      for (long d : dims) bits = Math.multiplyExact(bits, d);
      if (bits < 0 || bits % 8 != 0) {
        throw new ShapeException("tensor %s: shape %s of %s does not fill whole bytes", name, dims, dtype);
      }
      return bits / 8;
    }
  }

  /** Where the bytes of a tensor come from. */
  @FunctionalInterface
  public interface Content {
    /** The bytes from their first; closed by the writer. */
    InputStream open() throws IOException;
  }

  /** What the header says of a tensor but its place. */
  private record Line(String name, String dtype, List<Long> dims, long bytes) {
    static Line of(Tensor t) {
      return new Line(t.name(), t.type().name(), Arrays.stream(t.shape().dims()).mapToObj(d -> (long) d).toList(),
          t.data().byteSize());
    }

    static Line of(Stored t) {
      return new Line(t.name(), t.dtype(), t.dims(), t.bytes());
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
    byte[] header = header(tensors.stream().map(Line::of).toList(), metadata);
    AtomicFiles.write(path, file -> {
      begin(header, file);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment staging = arena.allocate(CHUNK, Long.BYTES);
        for (Tensor t : tensors) write(t, staging, file);
      }
    });
  }

  /**
   * As {@link #write}, for tensors that are copied as they are; no more than a chunk of them is in memory at a time.
   *
   * @throws SafeTensorsException if a content ends early or goes on after its tensor; the old file is then unchanged
   */
  public static void copy(Path path, List<Stored> tensors, Map<String, String> metadata) {
    byte[] header = header(tensors.stream().map(Line::of).toList(), metadata);
    AtomicFiles.write(path, file -> {
      begin(header, file);
      byte[] staging = new byte[CHUNK];
      for (Stored t : tensors) copy(t, staging, file);
    });
  }

  private static void copy(Stored t, byte[] staging, FileChannel file) throws IOException {
    long left = t.bytes();
    try (InputStream in = t.content().open()) {
      while (left > 0) {
        int read = in.read(staging, 0, (int) Math.min(CHUNK, left));
        if (read < 0) throw SafeTensorsException.of("tensor %s: its content ends %s bytes early", t.name(), left);
        drain(ByteBuffer.wrap(staging, 0, read), file);
        left -= read;
      }
      if (in.read() >= 0) throw SafeTensorsException.of("tensor %s: more content than its shape takes", t.name());
    }
  }

  private static void begin(byte[] header, FileChannel file) throws IOException {
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    drain(length.putLong(0, header.length), file);
    drain(ByteBuffer.wrap(header), file);
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
  private static byte[] header(List<Line> tensors, Map<String, String> metadata) {
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
    for (Line t : tensors) {
      if (!names.add(t.name()) || t.name().equals(Header.METADATA)) {
        throw new IllegalArgumentException("tensor name " + t.name() + " is taken: names must differ, also from "
            + Header.METADATA);
      }
      long end = Math.addExact(begin, t.bytes());
      json.append(quote(t.name())).append(":{\"dtype\":\"").append(t.dtype()).append("\",\"shape\":[")
          .append(String.join(",", t.dims().stream().map(String::valueOf).toList()))
          .append("],\"data_offsets\":[").append(begin).append(',').append(end).append("]},");
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
