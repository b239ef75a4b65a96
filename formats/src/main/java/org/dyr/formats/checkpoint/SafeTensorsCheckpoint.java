package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.dyr.formats.FormatException;
import org.dyr.io.ModelTensors;
import org.dyr.io.SafeTensorsFile;

/** A safetensors file, or the model directory whose safetensors files belong together. */
public final class SafeTensorsCheckpoint implements TensorFile {
  private final Path path;
  private final AutoCloseable files;
  private final List<StoredTensor> tensors = new ArrayList<>();

  private SafeTensorsCheckpoint(Path path, AutoCloseable files) {
    this.path = path;
    this.files = files;
  }

  /**
   * Opens one file, or all of a model directory.
   *
   * @throws org.dyr.io.SafeTensorsException if it breaks a rule of the format
   * @throws FormatException                 if a tensor is of a type that is not handled
   */
  public static SafeTensorsCheckpoint open(Path path) {
    if (Files.isDirectory(path)) {
      ModelTensors model = ModelTensors.open(path);
      return new SafeTensorsCheckpoint(path, model).fill(model.names(), model::fileOf);
    }
    SafeTensorsFile file = SafeTensorsFile.open(path);
    return new SafeTensorsCheckpoint(path, file).fill(file.names(), _ -> file);
  }

  private SafeTensorsCheckpoint fill(List<String> names, Function<String, SafeTensorsFile> fileOf) {
    boolean filled = false;
    try {
      for (String name : names) {
        SafeTensorsFile file = fileOf.apply(name);
        SafeTensorsFile.Entry entry = file.entry(name);
        ElementType type = ElementType.ofSafeTensors(entry.dtype());
        if (type == null) {
          throw new FormatException(file.path(), "tensor " + Shown.text(name), "the type " + entry.dtype()
              + " is not handled");
        }
        tensors.add(new StoredTensor(name, type, entry.dims(), entry.end() - entry.begin(),
            () -> new SegmentStream(file.segment(name))));
      }
      filled = true;
      return this;
    } finally {
      if (!filled) close();
    }
  }

  @Override public Path path() {
    return path;
  }

  @Override public String format() {
    return "safetensors";
  }

  @Override public List<StoredTensor> tensors() {
    return List.copyOf(tensors);
  }

  @Override public void close() {
    try {
      files.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("closing mapped files throws no checked exception", e);
    }
  }

  /** The bytes of a mapped segment. */
  private static final class SegmentStream extends InputStream {
    private final MemorySegment segment;
    private long at;

    SegmentStream(MemorySegment segment) {
      this.segment = segment;
    }

    @Override public int read() throws IOException {
      return at == segment.byteSize() ? -1 : segment.get(ValueLayout.JAVA_BYTE, at++) & 0xff;
    }

    @Override public int read(byte[] into, int offset, int length) {
      if (length == 0) return 0;
      int read = (int) Math.min(length, segment.byteSize() - at);
      if (read == 0) return -1;
      MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, at, into, offset, read);
      at += read;
      return read;
    }
  }
}
