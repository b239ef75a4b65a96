package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import org.dyr.formats.FormatException;
import org.dyr.io.ModelTensors;

/** Opens files of tensors of any format that is read here. */
public final class TensorFiles {
  private static final String PICKLED = "pytorch_model.bin";

  private TensorFiles() {}

  /** What a file is. */
  enum Kind { MIND_SPORE, SAFE_TENSORS, PY_TORCH }

  /**
   * Opens a file or a Hugging Face directory, which holds safetensors files, {@code pytorch_model.bin}, or an
   * index of several such.
   *
   * @throws FormatException                 if there is none, or it is not of a format that is read, or damaged
   * @throws org.dyr.io.SafeTensorsException if it is a damaged safetensors file
   */
  public static TensorFile open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      Path pickled = path.resolve(PICKLED);
      boolean safe = Files.exists(path.resolve(ModelTensors.FILE)) || Files.exists(path.resolve(ModelTensors.INDEX));
      if (!safe && Files.exists(pickled)) return PyTorchCheckpoint.open(pickled);
      if (!safe && Files.exists(path.resolve(PyTorchShards.INDEX))) return PyTorchShards.open(path);
      return SafeTensorsCheckpoint.open(path);
    }
    if (!Files.isRegularFile(path)) {
      throw new FormatException(path, "", Files.exists(path) ? "neither a file nor a directory" : "no such file");
    }
    Kind kind = kind(path);
    if (kind == null) {
      throw new FormatException(path, "",
          "neither a MindSpore checkpoint (.ckpt), nor safetensors, nor a PyTorch file (.bin)");
    }
    return switch (kind) {
      case MIND_SPORE -> MindSporeCheckpoint.open(path);
      case SAFE_TENSORS -> SafeTensorsCheckpoint.open(path);
      case PY_TORCH -> PyTorchCheckpoint.open(path);
    };
  }

  /** What the file is by its name, or else by its first bytes; null if neither tells. */
  static Kind kind(Path path) throws IOException {
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".ckpt")) return Kind.MIND_SPORE;
    if (name.endsWith(".safetensors")) return Kind.SAFE_TENSORS;
    if (name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth")) return Kind.PY_TORCH;
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer head = Foreign.read(file, 0, (int) Math.min(file.size(), 16));
      return Foreign.isSafeTensors(head, file.size()) ? Kind.SAFE_TENSORS : null;
    }
  }
}
