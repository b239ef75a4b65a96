package org.dyr.io;

import static org.dyr.io.SafeTensorsException.shown;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.ShapeException;

/**
 * One safetensors file, checked and mapped. Opening reads the header only; data is paged in as it is touched. Safe
 * for use by many threads. The file must not be cut short or written in place while it is open; replacing it by a
 * rename, as {@link SafeTensorsWriter} does, is harmless. {@link #close} unmaps: segments handed out must not be used
 * after it.
 */
public final class SafeTensorsFile implements AutoCloseable {
  private static final int PREFIX = 8; // the header's length comes first: 8 bytes, little-endian

  private final Path path;
  private final Header header;
  private final Arena arena;
  private final MemorySegment data; // everything after the header, read-only

  private SafeTensorsFile(Path path, Header header, Arena arena, MemorySegment data) {
    this.path = path;
    this.header = header;
    this.arena = arena;
    this.data = data;
  }

  /**
   * What the header says of one tensor.
   *
   * @param dtype the format's name of the element type, such as {@code BF16}
   * @param dims  the sizes of the axes as stored; none for a scalar
   * @param begin the first byte of its values, counted from the end of the header
   * @param end   the byte after its last
   */
  public record Entry(String name, String dtype, List<Long> dims, long begin, long end) {
    public Entry {
      dims = List.copyOf(dims);
    }

    /** The number of elements. */
    public long elements() {
      long n = 1;
      for (long d : dims) n *= d;
      return n;
    }

    /**
     * The sizes as the engine writes them: a scalar is (1).
     *
     * @throws SafeTensorsException if a size, or the number of elements, is beyond what a {@link Shape} holds
     */
    public Shape shape() {
      if (dims.isEmpty()) return Shape.of(1);
      try {
        return Shape.of(dims.stream().mapToInt(Math::toIntExact).toArray());
      } catch (ArithmeticException e) {
        throw new SafeTensorsException("tensor " + shown(name) + ": shape " + shown(dims) + " is too large", e);
      }
    }
  }

  /**
   * Opens a file and checks all of its header: lengths, JSON, types, shapes, and that the tensors cover the data
   * exactly.
   *
   * @throws SafeTensorsException if the file is missing, cannot be read, or breaks a rule of the format
   */
  public static SafeTensorsFile open(Path path) {
    if (!Files.isRegularFile(path)) {
      throw SafeTensorsException.of("%s: %s", path, Files.exists(path) ? "not a regular file" : "no such file");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      byte[] json = readHeader(channel, path);
      long start = PREFIX + (long) json.length;
      long dataBytes = channel.size() - start;
      Header header = Header.parse(json, dataBytes, path.toString());
      return map(path, header, channel, start, dataBytes);
    } catch (IOException e) {
      throw new SafeTensorsException(path + ": cannot be read: " + e, e);
    }
  }

  private static SafeTensorsFile map(Path path, Header header, FileChannel channel, long start, long bytes)
      throws IOException {
    Arena arena = Arena.ofShared();
    try {
      return new SafeTensorsFile(path, header, arena, channel.map(MapMode.READ_ONLY, start, bytes, arena));
    } catch (IOException | RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  private static byte[] readHeader(FileChannel channel, Path path) throws IOException {
    long size = channel.size();
    if (size < PREFIX) throw SafeTensorsException.of("%s: %s bytes are too few for a safetensors file", path, size);
    ByteBuffer prefix = ByteBuffer.allocate(PREFIX).order(ByteOrder.LITTLE_ENDIAN);
    readFully(channel, prefix, path);
    long length = prefix.getLong(0);
    if (Long.compareUnsigned(length, Header.MAX_BYTES) > 0) {
      throw SafeTensorsException.of("%s: the header's length, bytes 0 to 7, is %s; the format allows %s: not a "
          + "safetensors file, or damaged", path, Long.toUnsignedString(length), Header.MAX_BYTES);
    }
    if (length > size - PREFIX) {
      throw SafeTensorsException.of("%s: the header should have %s bytes, but the file ends after %s of them: cut "
          + "short?", path, length, size - PREFIX);
    }
    byte[] json = new byte[(int) length]; // no more than the file itself
    readFully(channel, ByteBuffer.wrap(json), path);
    return json;
  }

  private static void readFully(FileChannel channel, ByteBuffer into, Path path) throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into) < 0) throw SafeTensorsException.of("%s: became shorter while being read", path);
    }
  }

  public Path path() {
    return path;
  }

  /** The tensors in the order of the header. */
  public List<String> names() {
    return List.copyOf(header.entries().keySet());
  }

  public boolean contains(String name) {
    return header.entries().containsKey(name);
  }

  /** The header's {@code __metadata__}; empty if it has none. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /**
   * What the header says of a tensor.
   *
   * @throws SafeTensorsException if the file has no tensor of that name
   */
  public Entry entry(String name) {
    Entry e = header.entries().get(name);
    if (e != null) return e;
    throw SafeTensorsException.of("%s: no tensor %s among its %s", path, shown(name), header.entries().size());
  }

  /** The bytes of a tensor as stored: little-endian, row-major, read-only, at any address; valid until closed. */
  public MemorySegment segment(String name) {
    Entry e = entry(name);
    return data.asSlice(e.begin(), e.end() - e.begin());
  }

  /**
   * The elements of a tensor where they are stored as the machine has them in this type; nothing where {@link #copy}
   * must convert them. At any address, read-only, valid until closed.
   */
  public Optional<MemorySegment> elements(String name, DType as) {
    boolean same = StoredType.named(entry(name).dtype()).same == as
        && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
    return same ? Optional.of(segment(name)) : Optional.empty();
  }

  /**
   * Copies a tensor's elements in the machine's byte order. A type copies to itself; F16, BF16, F32 and F64 become
   * each other, rounded to nearest even where there are fewer bits (F64 to a 16-bit type by way of F32), beyond F16's
   * range infinite; I64 becomes I32.
   *
   * @param to exactly the tensor's elements times {@code as.bytes()}, of any alignment
   * @throws SafeTensorsException if the stored type cannot become {@code as}, or an I64 value does not fit
   * @throws ShapeException       if {@code to} has another size
   */
  public void copy(String name, MemorySegment to, DType as) {
    Entry e = entry(name);
    StoredType from = StoredType.named(e.dtype());
    String where = path + ": tensor " + shown(name);
    if (!Conversion.exists(from, as)) {
      throw SafeTensorsException.of("%s is stored as %s, which is not read as %s", where, from, as);
    }
    long n = e.elements();
    if (to.byteSize() != n * as.bytes()) {
      throw new ShapeException("%s, %s of shape %s, takes %s bytes as %s, but the target has %s",
          where, from, e.dims(), n * as.bytes(), as, to.byteSize());
    }
    Conversion.copy(from, segment(name), as, to, n, where);
  }

  /** Unmaps the file. Closing twice is harmless. */
  @Override public void close() {
    if (arena.scope().isAlive()) arena.close();
  }
}
