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
import org.dyr.tensor.DType;

/** A model's weights as a MindSpore checkpoint: the names, order and bits that DYR's own net saves and loads. */
public final class CheckpointFile {
  private CheckpointFile() {}

  /**
   * Writes the weights, not the optimizer's states. Whole or not at all; replaces the file of that name.
   *
   * @throws ModelException when a parameter has no name or type in MindSpore
   */
  public static void write(Path file, Model model) {
    Weights weights = model.weights();
    Map<String, Parameter> byName = new HashMap<>();
    weights.parameters().forEach(p -> byName.put(p.name(), p));
    BertNames.Placed placed = BertNames.place(byName.keySet(), BertNames.Dialect.MIND_SPORE);
    if (!placed.unplaced().isEmpty()) {
      throw new ModelException(file, "MindSpore's DYR has no parameter for " + placed.unplaced());
    }
    if (weights.type() != DType.F32 && weights.type() != DType.F64) {
      throw new ModelException(file, "weights in %s are not written".formatted(weights.type()));
    }
    ElementType type = weights.type() == DType.F64 ? ElementType.FLOAT64 : ElementType.FLOAT32;
    try (Arena arena = Arena.ofConfined()) {
      List<StoredTensor> tensors = new ArrayList<>();
      placed.sources().forEach((name, ours) -> {
        Parameter p = byName.get(ours);
        MemorySegment values = weights.view(weights.slab(), p, arena);
        long bytes = weights.spec(p).bytes();
        tensors.add(new StoredTensor(name, type, ParameterSource.dims(p), bytes,
            () -> new Bytes(values.asSlice(0, bytes))));
      });
      MindSporeCheckpointWriter.write(file, tensors, MindSporeCheckpointWriter.Scalars.ZERO, false);
    }
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
