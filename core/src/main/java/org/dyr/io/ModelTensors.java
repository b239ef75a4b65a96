package org.dyr.io;

import static org.dyr.io.SafeTensorsException.shown;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.tensor.DType;

/**
 * The tensors of a model directory under one set of names: those of {@code model.safetensors}, or, without that file,
 * those that {@code model.safetensors.index.json} spreads over shards. Safe for use by many threads.
 */
public final class ModelTensors implements AutoCloseable {
  /** A whole model in one file. */
  public static final String FILE = "model.safetensors";
  /** The index of a model in shards: {@code weight_map} gives each tensor its file. */
  public static final String INDEX = "model.safetensors.index.json";
  private static final List<String> PICKLED = List.of("pytorch_model.bin", "pytorch_model.bin.index.json");

  private final Path directory;
  private final Map<String, SafeTensorsFile> files = new LinkedHashMap<>();   // file name to file
  private final Map<String, SafeTensorsFile> tensors = new LinkedHashMap<>(); // tensor name to the file that holds it

  private ModelTensors(Path directory) {
    this.directory = directory;
  }

  /**
   * Opens all files of the model. With an index, the index decides: a tensor of a shard that it does not name is not
   * shown.
   *
   * @throws SafeTensorsException if there is no model, or a file, the index, or the two together are wrong
   */
  public static ModelTensors open(Path directory) {
    ModelTensors model = new ModelTensors(directory);
    boolean opened = false;
    try {
      if (Files.exists(directory.resolve(FILE))) {
        SafeTensorsFile file = model.file(FILE);
        file.names().forEach(name -> model.tensors.put(name, file));
      } else if (Files.exists(directory.resolve(INDEX))) {
        model.openShards(directory.resolve(INDEX));
      } else {
        throw missing(directory);
      }
      opened = true;
      return model;
    } finally {
      if (!opened) model.close();
    }
  }

  private static SafeTensorsException missing(Path directory) {
    if (!Files.isDirectory(directory)) return SafeTensorsException.of("%s: not a directory", directory);
    boolean pickled = PICKLED.stream().anyMatch(name -> Files.exists(directory.resolve(name)));
    return SafeTensorsException.of("%s holds neither %s nor %s%s", directory, FILE, INDEX, pickled
        ? "; pytorch_model.bin is not read, only safetensors is: dyr convert makes that of it" : "");
  }

  private void openShards(Path index) {
    if (!(Json.parse(readIndex(index), index.toString()) instanceof Map<?, ?> root)
        || !(root.get("weight_map") instanceof Map<?, ?> weights)) {
      throw SafeTensorsException.of("%s must be an object with an object \"weight_map\"", index);
    }
    weights.forEach((key, value) -> {
      String name = (String) key;
      String where = index + ": tensor " + shown(name);
      if (!(value instanceof String shard) || !isPlainName(shard)) {
        throw SafeTensorsException.of("%s: %s is not the plain name of a .safetensors file in this directory",
            where, shown(value));
      }
      if (!Files.exists(directory.resolve(shard))) {
        throw SafeTensorsException.of("%s should be in %s, which is missing", where, shown(shard));
      }
      SafeTensorsFile file = file(shard);
      if (!file.contains(name)) throw SafeTensorsException.of("%s is not in %s", where, file.path());
      tensors.put(name, file);
    });
  }

  private static byte[] readIndex(Path index) {
    try {
      long size = Files.size(index);
      if (!Files.isRegularFile(index) || size > Header.MAX_BYTES) {
        throw SafeTensorsException.of("%s: must be a regular file of at most %s bytes", index, Header.MAX_BYTES);
      }
      return Files.readAllBytes(index);
    } catch (IOException e) {
      throw new SafeTensorsException(index + ": cannot be read: " + e, e);
    }
  }

  /**
   * An index comes with a model from elsewhere and must not reach outside its directory. Symbolic links inside it are
   * followed all the same: download caches are made of them.
   */
  private static boolean isPlainName(String name) {
    return name.endsWith(".safetensors")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
  }

  private SafeTensorsFile file(String name) {
    return files.computeIfAbsent(name, n -> SafeTensorsFile.open(directory.resolve(n)));
  }

  public Path directory() {
    return directory;
  }

  /** All tensors, in the order of the header or of the index. */
  public List<String> names() {
    return List.copyOf(tensors.keySet());
  }

  public boolean contains(String name) {
    return tensors.containsKey(name);
  }

  /**
   * The file that holds a tensor.
   *
   * @throws SafeTensorsException if the model has no tensor of that name
   */
  public SafeTensorsFile fileOf(String name) {
    SafeTensorsFile file = tensors.get(name);
    if (file != null) return file;
    throw SafeTensorsException.of("%s: no tensor %s among the model's %s", directory, shown(name), tensors.size());
  }

  /** As {@link SafeTensorsFile#entry}. */
  public SafeTensorsFile.Entry entry(String name) {
    return fileOf(name).entry(name);
  }

  /** As {@link SafeTensorsFile#segment}. */
  public MemorySegment segment(String name) {
    return fileOf(name).segment(name);
  }

  /** As {@link SafeTensorsFile#elements}. */
  public Optional<MemorySegment> elements(String name, DType as) {
    return fileOf(name).elements(name, as);
  }

  /** As {@link SafeTensorsFile#copy}. */
  public void copy(String name, MemorySegment to, DType as) {
    fileOf(name).copy(name, to, as);
  }

  /** Unmaps all files. Closing twice is harmless. */
  @Override public void close() {
    files.values().forEach(SafeTensorsFile::close);
  }
}
