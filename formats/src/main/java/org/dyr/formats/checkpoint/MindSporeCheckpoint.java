package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import org.dyr.formats.FormatException;

/**
 * MindSpore's {@code .ckpt}: a run of protobuf records, each a tag and a tensor, and perhaps a checksum behind them.
 * Opening reads names, types and sizes and steps over the elements, so a file of any length takes little memory. What
 * the file holds besides weights (states of an optimizer, counters, texts) are parameters like any other.
 */
public final class MindSporeCheckpoint implements TensorFile {
  static final byte[] TRAILER = {'c', 'r', 'c', '_', 'n', 'u', 'm'};
  static final int TRAILER_BYTES = TRAILER.length + 10; // then the checksum, big-endian
  private static final int MOST_PARAMETERS = 1_000_000;
  private static final int MOST_DIMS = 64;
  private static final int MOST_TAG = 1 << 16;
  private static final int CHUNK = 1 << 20;

  private final Path path;
  private final FileChannel file;
  private final List<Parameter> parameters = new ArrayList<>();
  private boolean checksum;

  private MindSporeCheckpoint(Path path, FileChannel file) {
    this.path = path;
    this.file = file;
  }

  /**
   * One parameter as the file holds it.
   *
   * @param dimsInFile as they stand there: a scalar is {@code [0]} or, since the end of 2023, {@code []}
   * @param tensor     its {@code dims} are those that are meant: a scalar has none
   */
  public record Parameter(List<Long> dimsInFile, StoredTensor tensor) {
    public Parameter {
      dimsInFile = List.copyOf(dimsInFile);
    }
  }

  /** Consecutive bytes of the file. */
  record Piece(long begin, long end) {}

  /** A record that has been read: one whole parameter or one slice of it. */
  private record Slice(long at, String tag, String type, List<Long> dims, Piece content) {}

  /**
   * Opens a checkpoint and reads all but the elements; these too if a checksum stands behind them.
   *
   * @throws FormatException if the file is another one that ends in {@code .ckpt} (the message says which), is
   *     encrypted, or is damaged: cut short, lengths that contradict each other, a wrong checksum
   */
  public static MindSporeCheckpoint open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new FormatException(path, "", Files.exists(path) ? "not a regular file" : "no such file");
    }
    FileChannel file = FileChannel.open(path, StandardOpenOption.READ);
    try {
      Foreign.name(file).ifPresent(what -> {
        throw new FormatException(path, "", "no MindSpore checkpoint but " + what);
      });
      MindSporeCheckpoint checkpoint = new MindSporeCheckpoint(path, file);
      checkpoint.scan(checkpoint.withoutTrailer());
      return checkpoint;
    } catch (IOException | RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /** Checks the trailer, if there is one, and gives the byte at which the records end. */
  private long withoutTrailer() throws IOException {
    long size = file.size();
    if (size < TRAILER_BYTES) return size;
    long end = size - TRAILER_BYTES;
    var trailer = Foreign.read(file, end, TRAILER_BYTES);
    for (byte b : TRAILER) {
      if (trailer.get() != b) return size;
    }
    checksum = true;
    String stored = HexFormat.of().formatHex(trailer.array(), TRAILER.length, TRAILER_BYTES);
    CRC32 crc = new CRC32();
    for (long at = 0; at < end; at += CHUNK) crc.update(Foreign.read(file, at, (int) Math.min(CHUNK, end - at)));
    String computed = "%020x".formatted(crc.getValue());
    if (!stored.equals(computed)) {
      throw new FormatException(path, "byte " + end, "the checksum there is %s, that of the bytes before it %s: damaged"
          .formatted(stored, computed));
    }
    return end;
  }

  private void scan(long end) throws IOException {
    WireReader in = new WireReader(path, file);
    Set<String> names = new HashSet<>();
    List<Slice> slices = new ArrayList<>(); // of one tag, in order
    while (in.position() < end) {
      Slice s = record(in, end);
      if (!slices.isEmpty() && !slices.getFirst().tag.equals(s.tag)) join(slices, names);
      slices.add(s);
    }
    if (slices.isEmpty()) throw new FormatException(path, "", "no MindSpore checkpoint: nothing but a checksum");
    join(slices, names);
  }

  private Slice record(WireReader in, long end) throws IOException {
    long at = in.position();
    if (in.varint(end, "the key of a field") != 0x0a) {
      throw new FormatException(path, "byte " + at,
          "no MindSpore checkpoint, or damaged before here: only records of field 1 "
          + "may stand at the top");
    }
    long last = in.end(end, "a record");
    String tag = null;
    Slice tensor = null;
    while (in.position() < last) {
      long field = in.position();
      long key = in.varint(last, "the key of a field");
      if (key == 0x0a && tag == null) {
        tag = in.text(last, "a parameter's name", MOST_TAG);
      } else if (key == 0x12 && tensor == null) {
        tensor = tensor(in, at, in.end(last, "a tensor"));
      } else if (key == 0x1a) {
        throw new FormatException(path, place(at, tag), "a hash table, which is not supported");
      } else {
        throw unexpected(field, key, "a record");
      }
    }
    if (tag == null) {
      throw new FormatException(path, "byte " + at, "no MindSpore checkpoint: a record without a parameter's name");
    }
    if (tensor == null) throw new FormatException(path, place(at, tag), "a record without a tensor");
    return new Slice(at, tag, tensor.type, tensor.dims, tensor.content);
  }

  private Slice tensor(WireReader in, long at, long end) throws IOException {
    List<Long> dims = new ArrayList<>();
    String type = null;
    Piece content = null;
    while (in.position() < end) {
      long field = in.position();
      long key = in.varint(end, "the key of a field");
      if (key == 0x08) {
        dim(in, end, dims);
      } else if (key == 0x0a) {
        for (long last = in.end(end, "packed sizes"); in.position() < last; ) dim(in, last, dims);
      } else if (key == 0x12 && type == null) {
        type = in.text(end, "the name of a type", MOST_TAG);
      } else if (key == 0x1a && content == null) {
        long last = in.end(end, "the content of a tensor");
        content = new Piece(in.position(), last);
        in.seek(last);
      } else {
        throw unexpected(field, key, "a tensor");
      }
    }
    if (type == null || content == null) {
      throw new FormatException(path, "byte " + at, "a tensor without " + (type == null ? "type" : "content"));
    }
    return new Slice(at, "", type, List.copyOf(dims), content);
  }

  private void dim(WireReader in, long end, List<Long> dims) throws IOException {
    long at = in.position();
    long dim = in.varint(end, "a size");
    if (dim < 0) throw new FormatException(path, "byte " + at, "a size is " + dim);
    if (dims.size() == MOST_DIMS) {
      throw new FormatException(path, "byte " + at, "a tensor of more than %d axes".formatted(MOST_DIMS));
    }
    dims.add(dim);
  }

  private FormatException unexpected(long at, long key, String where) {
    return new FormatException(path, "byte " + at,
        "%s has field %d of wire type %d twice or not at all in this format: no "
        .formatted(where, key >>> 3, key & 7) + "MindSpore checkpoint, or damaged");
  }

  private static String place(long at, String tag) {
    return "byte " + at + (tag == null ? "" : ", parameter " + Shown.text(tag));
  }

  /** Makes one parameter of neighbours with one tag, and empties the list. */
  private void join(List<Slice> slices, Set<String> names) {
    Slice first = slices.getFirst();
    String place = place(first.at, first.tag);
    if (!names.add(first.tag)) throw new FormatException(path, place, "the second parameter of that name");
    if (names.size() > MOST_PARAMETERS) {
      throw new FormatException(path, place, "more than %d parameters".formatted(MOST_PARAMETERS));
    }
    ElementType type = ElementType.ofMindSpore(first.type);
    if (type == null) throw new FormatException(path, place, "the type " + Shown.text(first.type) + " is not known");
    long bytes = 0;
    for (Slice s : slices) {
      if (!s.type.equals(first.type) || !s.dims.equals(first.dims)) {
        throw new FormatException(path, place(s.at, s.tag), "a slice of %s %s, but the first one is of %s %s".formatted(
            Shown.text(s.type), s.dims, Shown.text(first.type), first.dims));
      }
      bytes += s.content.end - s.content.begin;
    }
    List<Long> dims = first.dims.equals(List.of(0L)) && bytes > 0 ? List.of() : first.dims;
    checkLength(type, dims, bytes, place);
    List<Piece> pieces = slices.stream().map(Slice::content).toList();
    parameters.add(new Parameter(first.dims,
        new StoredTensor(first.tag, type, dims, bytes, () -> new PieceStream(path, file, pieces))));
    slices.clear();
  }

  private void checkLength(ElementType type, List<Long> dims, long bytes, String place) {
    if (type == ElementType.TEXT && dims.isEmpty()) {
      if (bytes % type.unit() == 0) return;
      throw new FormatException(path, place, "a text of %d bytes; every character takes 4".formatted(bytes));
    }
    long expected;
    try {
      expected = type.bytes(dims);
    } catch (ArithmeticException e) {
      throw new FormatException(path, place, "%s has more elements than a file can hold".formatted(dims), e);
    }
    if (bytes != expected) {
      throw new FormatException(path, place, "%s of shape %s takes %d bytes, but the file has %d".formatted(
          type.mindSpore(), dims, expected, bytes));
    }
  }

  @Override public Path path() {
    return path;
  }

  @Override public String format() {
    return "MindSpore checkpoint";
  }

  /** All parameters in the order of the file. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  @Override public List<StoredTensor> tensors() {
    return parameters.stream().map(Parameter::tensor).toList();
  }

  /** Whether a checksum stands at the end; it has been verified then. */
  public boolean hasChecksum() {
    return checksum;
  }

  @Override public void close() throws IOException {
    file.close();
  }
}
