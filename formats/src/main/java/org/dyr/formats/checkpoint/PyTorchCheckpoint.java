package org.dyr.formats.checkpoint;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.dyr.formats.FormatException;

/**
 * PyTorch's {@code pytorch_model.bin}: a zip archive (uncompressed, since PyTorch 1.6) of a pickle, which says what the
 * tensors are called and how they lie in their storages, and of one file a storage. Read only, and only dictionaries of
 * tensors.
 */
public final class PyTorchCheckpoint implements TensorFile {
  private static final int ZIP = 0x04034b50;
  private static final int LEGACY = 0x0a8a0280;              // a pickle that begins with a number of ten bytes
  private static final String PICKLE = "/data.pkl";
  private static final int MOST_PICKLE = 4 << 20;            // bytes; a BERT's has about 50,000
  private static final int MOST_VIEW = 1 << 30;              // bytes in memory while a view is put in order
  private static final int MOST_DIMS = 64;
  private static final int CHUNK = 1 << 20;

  private final Path path;
  private final ZipFile zip;
  private final List<StoredTensor> tensors = new ArrayList<>();

  private PyTorchCheckpoint(Path path, ZipFile zip) {
    this.path = path;
    this.zip = zip;
  }

  /**
   * Opens an archive, compares the checksums of its pickle and of its storages, and reads the pickle.
   *
   * @throws FormatException if the file is of the older form without zip, or no state dict, or its pickle calls for
   *     anything but tensors, or it is damaged
   */
  public static PyTorchCheckpoint open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new FormatException(path, "", Files.exists(path) ? "not a regular file" : "no such file");
    }
    checkFirstBytes(path);
    ZipFile zip;
    try {
      zip = new ZipFile(path.toFile());
    } catch (ZipException | EOFException e) {
      throw damaged(path, "", e);
    }
    boolean opened = false;
    try {
      PyTorchCheckpoint checkpoint = new PyTorchCheckpoint(path, zip);
      checkpoint.read();
      opened = true;
      return checkpoint;
    } finally {
      if (!opened) zip.close();
    }
  }

  private static FormatException damaged(Path path, String place, IOException e) {
    String said = e.getMessage() == null ? "it ends too early" : e.getMessage();
    return new FormatException(path, place, "a damaged zip archive: " + said, e);
  }

  private static void checkFirstBytes(Path path) throws IOException {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer head = Foreign.read(file, 0, 4);
      int first = head.limit() < 4 ? 0 : head.getInt(0);
      if (first == ZIP) return;
      if (first == LEGACY) {
        throw new FormatException(path, "",
            "the form that PyTorch wrote before version 1.6, a pickle without a zip archive, is "
            + "not read; PyTorch reads it, and what torch.save then writes is read");
      }
      throw new FormatException(path, "", "no PyTorch file but "
          + Foreign.name(file).orElse("something that is no zip archive"));
    }
  }

  private void read() throws IOException {
    List<String> pickles = zip.stream().map(ZipEntry::getName)
        .filter(n -> n.endsWith(PICKLE) && n.indexOf('/') == n.length() - PICKLE.length()).toList();
    if (pickles.size() != 1) {
      throw new FormatException(path, "",
          "a zip archive with %d files FOLDER/data.pkl; PyTorch's have one".formatted(pickles.size()));
    }
    String folder = pickles.getFirst().substring(0, pickles.getFirst().length() - PICKLE.length() + 1);
    if (zip.getEntry(folder + "constants.pkl") != null) {
      throw new FormatException(path, "", "a TorchScript program, not a dictionary of tensors");
    }
    ZipEntry order = zip.getEntry(folder + "byteorder");
    if (order != null && !new String(all(order, 16), StandardCharsets.US_ASCII).strip().equals("little")) {
      throw new FormatException(path, "byteorder", "the values are not little-endian");
    }
    Set<String> verified = new HashSet<>();
    Map<String, StateDictPickle.Tensor> all = StateDictPickle.read(path,
        all(zip.getEntry(pickles.getFirst()), MOST_PICKLE));
    for (Map.Entry<String, StateDictPickle.Tensor> e : all.entrySet()) {
      tensors.add(tensor(e.getKey(), e.getValue(), folder + "data/", verified));
    }
  }

  private byte[] all(ZipEntry entry, int most) throws IOException {
    checkStored(entry);
    if (entry.getSize() > most) {
      throw new FormatException(path, entry.getName(),
          "%d bytes; at most %d are read".formatted(entry.getSize(), most));
    }
    verify(entry);
    try (InputStream in = stream(entry, 0, entry.getSize())) {
      return in.readAllBytes();
    }
  }

  /** PyTorch compresses nothing; so no entry is larger than the file. */
  private void checkStored(ZipEntry entry) throws IOException {
    if (entry.getMethod() != ZipEntry.STORED || entry.getSize() > Files.size(path)) {
      throw new FormatException(path, Shown.text(entry.getName()),
          "is compressed or longer than the archive, as PyTorch writes none");
    }
  }

  private InputStream stream(ZipEntry entry, long begin, long bytes) throws IOException {
    try {
      InputStream in = zip.getInputStream(entry);
      in.skipNBytes(begin);
      return new RangeStream(path, entry.getName(), in, bytes);
    } catch (ZipException | EOFException e) {
      throw damaged(path, Shown.text(entry.getName()), e);
    }
  }

  private StoredTensor tensor(String name, StateDictPickle.Tensor t, String data,
      Set<String> verified) throws IOException {
    String place = "tensor " + Shown.text(name);
    StateDictPickle.Storage s = t.storage();
    int unit = s.type().unit();
    ZipEntry entry = zip.getEntry(data + s.key());
    if (entry == null) {
      throw new FormatException(path, place, "its storage %s is missing".formatted(Shown.text(data + s.key())));
    }
    checkStored(entry);
    if (entry.getSize() % unit != 0 || entry.getSize() / unit != s.elements()) {
      throw new FormatException(path, place,
          "its storage should have %d elements of %d bytes, but has %d bytes".formatted(
          s.elements(), unit, entry.getSize()));
    }
    long[] reach = reach(t, place); // elements of the tensor, and of the storage from its first to its last
    if (verified.add(entry.getName())) verify(entry);
    long begin = t.offset() * unit;
    long bytes = reach[0] * unit;
    StoredTensor.Content content = isContiguous(t) ? () -> stream(entry, begin, bytes)
        : gathered(t, entry, reach, place);
    return new StoredTensor(name, s.type(), t.dims(), bytes, content);
  }

  private long[] reach(StateDictPickle.Tensor t, String place) {
    long elements = 1;
    long last = 0;
    try {
      if (t.dims().size() != t.strides().size() || t.dims().size() > MOST_DIMS || t.offset() < 0) {
        throw new ArithmeticException();
      }
      for (int i = 0; i < t.dims().size(); i++) {
        long dim = t.dims().get(i);
        if (dim < 0 || t.strides().get(i) < 0) throw new ArithmeticException();
        elements = Math.multiplyExact(elements, dim);
        last = Math.addExact(last, Math.multiplyExact(Math.max(dim - 1, 0), t.strides().get(i)));
      }
      long span = elements == 0 ? 0 : Math.addExact(last, 1);
      if (Math.addExact(t.offset(), span) > t.storage().elements()) throw new ArithmeticException();
      if (elements > span) {
        throw new FormatException(path, place,
            "shows elements of its storage more than once (strides %s), which is not supported"
            .formatted(t.strides()));
      }
      return new long[] {elements, span};
    } catch (ArithmeticException e) {
      throw new FormatException(path, place,
          "sizes %s with strides %s from element %d do not fit into its storage of %d elements"
          .formatted(t.dims(), t.strides(), t.offset(), t.storage().elements()), e);
    }
  }

  private static boolean isContiguous(StateDictPickle.Tensor t) {
    long stride = 1;
    for (int i = t.dims().size() - 1; i >= 0; i--) {
      long dim = t.dims().get(i);
      if (dim == 0) return true;
      if (dim != 1 && t.strides().get(i) != stride) return false;
      stride *= dim;
    }
    return true;
  }

  private void verify(ZipEntry entry) throws IOException {
    CRC32 crc = new CRC32();
    byte[] chunk = new byte[CHUNK];
    try (InputStream in = stream(entry, 0, entry.getSize())) {
      for (int read; (read = in.read(chunk)) > 0; ) crc.update(chunk, 0, read);
    }
    if (crc.getValue() != entry.getCrc()) {
      throw new FormatException(path, Shown.text(entry.getName()),
          "the archive says checksum %08x, its bytes have %08x: damaged"
          .formatted(entry.getCrc(), crc.getValue()));
    }
  }

  /** Elements that do not lie one after the other, put in order when they are asked for. */
  private StoredTensor.Content gathered(StateDictPickle.Tensor t, ZipEntry entry, long[] reach, String place) {
    int unit = t.storage().type().unit();
    if (reach[1] > MOST_VIEW / unit) {
      throw new FormatException(path, place, "a view with strides %s over more than 1 GiB".formatted(t.strides()));
    }
    return () -> {
      byte[] from;
      try (InputStream in = stream(entry, t.offset() * unit, reach[1] * unit)) {
        from = in.readAllBytes();
      }
      byte[] to = new byte[Math.toIntExact(reach[0] * unit)];
      long[] index = new long[t.dims().size()];
      for (int at = 0; at < to.length; at += unit) {
        long source = 0;
        for (int i = 0; i < index.length; i++) source += index[i] * t.strides().get(i);
        System.arraycopy(from, (int) source * unit, to, at, unit);
        for (int i = index.length - 1; i >= 0 && ++index[i] == t.dims().get(i); i--) index[i] = 0;
      }
      return new ByteArrayInputStream(to);
    };
  }

  @Override public Path path() {
    return path;
  }

  @Override public String format() {
    return "PyTorch state dict";
  }

  @Override public List<StoredTensor> tensors() {
    return List.copyOf(tensors);
  }

  @Override public void close() throws IOException {
    zip.close();
  }

  /** So many bytes of another stream, no fewer. */
  private static final class RangeStream extends InputStream {
    private final Path path;
    private final String entry;
    private final InputStream in;
    private long left;

    RangeStream(Path path, String entry, InputStream in, long left) {
      this.path = path;
      this.entry = entry;
      this.in = in;
      this.left = left;
    }

    @Override public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override public int read(byte[] into, int offset, int length) throws IOException {
      if (length == 0) return 0;
      if (left == 0) return -1;
      int read;
      try {
        read = in.read(into, offset, (int) Math.min(length, left));
      } catch (ZipException | EOFException e) {
        throw damaged(path, Shown.text(entry), e);
      }
      if (read < 0) throw new FormatException(path, Shown.text(entry), "ends %d bytes early".formatted(left));
      left -= read;
      return read;
    }

    @Override public void close() throws IOException {
      in.close();
    }
  }
}
