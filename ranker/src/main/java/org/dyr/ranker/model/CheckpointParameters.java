package org.dyr.ranker.model;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.formats.FormatException;
import org.dyr.formats.checkpoint.BertNames;
import org.dyr.formats.checkpoint.ElementType;
import org.dyr.formats.checkpoint.MindSporeCheckpoint;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.formats.checkpoint.TensorFile;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Numerics;
import org.dyr.nn.Parameter;
import org.dyr.op.Activation;
import org.dyr.tensor.DType;

/**
 * The tensors of a MindSpore checkpoint under Hugging Face's names. As in MindSpore, what the model does not have
 * (optimizer states, heads of pretraining) is passed over, trailing sizes of 1 do not count, and types of real numbers
 * are converted.
 */
final class CheckpointParameters implements ParameterSource {
  private static final int CHUNK = 1 << 16; // bytes, whole elements of every type
  private static final int HEAD_SIZE = 64;
  private static final String DISTANCES = "bert.encoder.layer.0.attention.self.relative_positions.weight";
  private static final int POSITIONS = 512; // where no table of positions tells

  private final Path path;
  private final TensorFile file;
  private final Map<String, StoredTensor> byName = new HashMap<>(); // Hugging Face's name to tensor

  /** @throws FormatException when the file is no checkpoint, is damaged, or holds no BERT */
  CheckpointParameters(Path path) {
    this.path = path;
    try {
      file = MindSporeCheckpoint.open(path);
    } catch (IOException e) {
      throw new ModelException(path, "cannot be read: " + e, e);
    }
    boolean complete = false;
    try {
      place();
      complete = true;
    } finally {
      if (!complete) close();
    }
  }

  private void place() {
    Map<String, StoredTensor> inFile = new HashMap<>();
    file.tensors().forEach(t -> inFile.put(t.name(), t));
    BertNames.Placed placed = BertNames.place(file.tensors().stream().map(StoredTensor::name).toList(),
        BertNames.Dialect.HUGGING_FACE);
    if (placed.sources().isEmpty()) {
      throw new FormatException(path, "", "none of its %d names is that of a BERT's weight".formatted(inFile.size()));
    }
    placed.sources().forEach((ours, theirs) -> byName.put(ours, inFile.get(theirs)));
  }

  /**
   * The sizes that the tensors have, with MindSpore's numerics and BERT's defaults for all else.
   *
   * @param heads attention heads, which no tensor tells; 0 for one every 64 of the hidden size
   * @throws FormatException when a tensor that tells a size is missing, or the hidden size does not divide so
   */
  BertConfig config(int heads) {
    List<Integer> words = dims("bert.embeddings.word_embeddings.weight");
    boolean relative = byName.containsKey(DISTANCES);
    int positions = relative ? POSITIONS : dims("bert.embeddings.position_embeddings.weight").get(0);
    List<Integer> types = dims("bert.embeddings.token_type_embeddings.weight");
    List<Integer> wide = dims("bert.encoder.layer.0.intermediate.dense.weight");
    int hidden = words.get(1);
    int layers = 0;
    while (byName.containsKey("bert.encoder.layer." + layers + ".intermediate.dense.weight")) layers++;
    if (heads == 0 && hidden % HEAD_SIZE != 0) {
      throw new FormatException(path, "", ("hidden size %d: no tensor tells how many heads share it, and it is no "
          + "multiple of %d; a config.json or attention_heads says it").formatted(hidden, HEAD_SIZE));
    }
    try {
      return Numerics.MINDSPORE.of(new BertConfig(words.get(0), hidden, layers, heads == 0 ? hidden / HEAD_SIZE : heads,
          wide.get(0), Activation.Kind.GELU_TANH, positions, types.get(0), 1e-7, 0.1, 0.1, 0.1, 0.02, relative));
    } catch (IllegalArgumentException e) {
      throw new FormatException(path, "", e.getMessage(), e);
    }
  }

  /** The two sizes of a matrix. */
  private List<Integer> dims(String name) {
    StoredTensor t = byName.get(name);
    if (t == null) throw new FormatException(path, "", "has no " + name + ", whose shape tells the model's sizes");
    if (t.dims().size() != 2 || t.dims().stream().anyMatch(d -> d < 1 || d > Integer.MAX_VALUE)) {
      throw new FormatException(path, "parameter " + name,
          "has the shape %s, not that of a matrix".formatted(t.dims()));
    }
    return t.dims().stream().map(Long::intValue).toList();
  }

  @Override public boolean has(Parameter p) {
    return byName.containsKey(p.name());
  }

  @Override public void copy(Parameter p, MemorySegment to, DType as) {
    StoredTensor t = byName.get(p.name());
    if (!withoutTrailingOnes(t.dims()).equals(withoutTrailingOnes(ParameterSource.dims(p)))) {
      throw new ModelException(path, "%s has the shape %s, the model's config asks for %s".formatted(p.name(), t.dims(),
          ParameterSource.dims(p)));
    }
    ElementType type = t.type();
    boolean real = type == ElementType.FLOAT16 || type == ElementType.BFLOAT16 || type == ElementType.FLOAT32
        || type == ElementType.FLOAT64;
    if (!real || !as.isFloating()) {
      throw new ModelException(path, "%s is %s, which does not become %s".formatted(p.name(), type, as));
    }
    try (InputStream in = t.content().open()) {
      ByteBuffer chunk = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
      long elements = p.shape().size(), at = 0;
      int width = type.bits() / Byte.SIZE;
      while (at < elements) {
        int bytes = (int) Math.min(CHUNK, (elements - at) * width);
        if (in.readNBytes(chunk.array(), 0, bytes) < bytes) throw new EOFException("ends within " + p.name());
        for (chunk.position(0).limit(bytes); chunk.hasRemaining(); at++) {
          double x = switch (type) {
            case FLOAT16 -> Float.float16ToFloat(chunk.getShort());
            case BFLOAT16 -> Float.intBitsToFloat(chunk.getShort() << Short.SIZE);
            case FLOAT32 -> chunk.getFloat();
            default -> chunk.getDouble();
          };
          as.set(to, at, x);
        }
      }
    } catch (IOException e) {
      throw new ModelException(path, "cannot be read: " + e, e);
    }
  }

  private static List<Long> withoutTrailingOnes(List<Long> dims) {
    List<Long> all = new ArrayList<>(dims);
    while (!all.isEmpty() && all.getLast() == 1) all.removeLast();
    return all;
  }

  @Override public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw new ModelException(path, "cannot be closed: " + e, e);
    }
  }
}
