package org.dyr.ranker.model;

import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.ElementType;
import org.dyr.formats.checkpoint.MindSporeCheckpointWriter;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;

/** A model's weights as a MindSpore checkpoint: the names, order and bits that DYR's own net saves and loads. */
public final class CheckpointFile {
  private CheckpointFile() {}

  /**
   * Writes the weights, not the optimizer's states. Whole or not at all; replaces the file of that name.
   *
   * @throws ModelException when a parameter has no name in MindSpore
   * @throws IllegalArgumentException when the model was loaded for scoring alone
   */
  public static void write(Path file, Model model) {
    Weights weights = model.weights();
    weights.requireTrainable();
    Map<String, Parameter> byName = new HashMap<>();
    weights.parameters().forEach(p -> byName.put(p.name(), p));
    ElementType type = switch (weights.type()) {
      case F32 -> ElementType.FLOAT32;
      case F64 -> ElementType.FLOAT64;
      case BF16 -> ElementType.BFLOAT16;
      case F16 -> ElementType.FLOAT16;
      case I32 -> throw new ModelException(file, "weights are no integers");
    };
    try (Arena arena = Arena.ofConfined()) {
      List<StoredTensor> tensors = new ArrayList<>();
      names(file, model).forEach((name, ours) -> {
        Parameter p = byName.get(ours);
        MemorySegment values = weights.view(weights.slab(), p, arena);
        long bytes = weights.spec(p).bytes();
        tensors.add(new StoredTensor(name, type, ParameterSource.dims(p), bytes,
            () -> new Bytes(values.asSlice(0, bytes))));
      });
      MindSporeCheckpointWriter.write(file, tensors, MindSporeCheckpointWriter.Scalars.ZERO, false);
    }
  }

  /**
   * Whether the model can be written, before it is trained.
   *
   * @throws ModelException when a parameter has no name in MindSpore
   */
  public static void check(Path file, Model model) {
    names(file, model);
  }

  /** MindSpore's name to ours, in the order of a DYR checkpoint. */
  private static Map<String, String> names(Path file, Model model) {
    BertNames.Placed placed = BertNames.place(model.weights().parameters().stream().map(Parameter::name).toList(),
        BertNames.Dialect.MIND_SPORE);
    if (placed.unplaced().isEmpty()) return placed.sources();
    throw new ModelException(file, "MindSpore's DYR has no parameter for " + placed.unplaced());
  }

  /** Memory as a stream; on the machines that are supported numbers lie in it as the file wants them, little-endian. */
  private static final class Bytes extends InputStream {
    private final MemorySegment from;
    private long at;

    Bytes(MemorySegment from) {
      this.from = from;
    }

    @Override public int read() {
      return at == from.byteSize() ? -1 : from.get(ValueLayout.JAVA_BYTE, at++) & 0xff;
    }

    @Override public int read(byte[] to, int offset, int length) {
      if (length == 0) return 0;
      if (at == from.byteSize()) return -1;
      int count = (int) Math.min(length, from.byteSize() - at);
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, to, offset, count);
      at += count;
      return count;
    }
  }
}
