package org.dyr.tests.endtoend;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.BiFunction;
import org.dyr.io.SafeTensorsFile;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.io.SafeTensorsWriter.Tensor;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;
import org.dyr.tensor.Shape;

/** Changes the weights of a model directory. */
final class ModelFiles {
  private ModelFiles() {}

  /** Writes the file again, each tensor as {@code change} makes of it: none, one or more. */
  static void rewrite(Path directory, BiFunction<String, Tensor, List<Tensor>> change) {
    Path file = directory.resolve("model.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      List<Tensor> changed = new ArrayList<>();
      for (Tensor t : read(file, arena)) changed.addAll(change.apply(t.name(), t));
      SafeTensorsWriter.write(file, changed, Map.of("format", "pt"));
    }
  }

  private static List<Tensor> read(Path file, Arena arena) {
    try (SafeTensorsFile f = SafeTensorsFile.open(file)) {
      List<Tensor> tensors = new ArrayList<>();
      for (String name : f.names()) {
        SafeTensorsFile.Entry e = f.entry(name);
        MemorySegment data = arena.allocate(f.segment(name).byteSize(), Long.BYTES).copyFrom(f.segment(name));
        int[] dims = e.dims().stream().mapToInt(Math::toIntExact).toArray();
        tensors.add(new Tensor(name, DType.valueOf(e.dtype()), Shape.of(dims), data));
      }
      return tensors;
    }
  }

  static void zero(Path directory, String tensor) {
    rewrite(directory, (name, t) -> {
      if (name.equals(tensor)) t.data().fill((byte) 0);
      return List.of(t);
    });
  }

  static void toBf16(Path directory) {
    rewrite(directory, (name, t) -> List.of(halved(t, DType.BF16)));
  }

  static void bf16ToF16(Path directory) {
    rewrite(directory, (name, t) -> List.of(halved(t, DType.F16)));
  }

  private static Tensor halved(Tensor t, DType to) {
    int n = Math.toIntExact(t.shape().size());
    MemorySegment data = Arena.ofAuto().allocate((long) n * Short.BYTES, Long.BYTES);
    for (int i = 0; i < n; i++) {
      float x = t.type() == DType.F32 ? t.data().getAtIndex(ValueLayout.JAVA_FLOAT, i)
          : Half.fromBf16(t.data().getAtIndex(ValueLayout.JAVA_SHORT, i));
      data.setAtIndex(ValueLayout.JAVA_SHORT, i, to == DType.BF16 ? Half.toBf16(x) : Half.toF16(x));
    }
    return new Tensor(t.name(), to, t.shape(), data);
  }

  /** Spreads the tensors over shards, in turn, with an index. */
  static void shard(Path directory, int shards) {
    Path file = directory.resolve("model.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      List<Tensor> all = read(file, arena);
      StringJoiner index = new StringJoiner(",\n", "{\"metadata\": {}, \"weight_map\": {\n", "}}\n");
      for (int s = 0; s < shards; s++) {
        String name = "model-%05d-of-%05d.safetensors".formatted(s + 1, shards);
        List<Tensor> part = new ArrayList<>();
        for (int i = s; i < all.size(); i += shards) {
          part.add(all.get(i));
          index.add("\"%s\": \"%s\"".formatted(all.get(i).name(), name));
        }
        SafeTensorsWriter.write(directory.resolve(name), part, Map.of());
      }
      Files.writeString(directory.resolve("model.safetensors.index.json"), index.toString());
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
