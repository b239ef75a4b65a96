package org.dyr.formats.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.dyr.formats.Inspector;

/** Looks into files of tensors: MindSpore's {@code .ckpt}, safetensors, PyTorch's {@code pytorch_model.bin}. */
public final class CheckpointInspector implements Inspector {
  private static final int CHUNK = 1 << 20;

  @Override public boolean reads(Path file) throws IOException {
    return Files.isRegularFile(file) && TensorFiles.kind(file) != null;
  }

  /**
   * The file's name, size and SHA-256, the number of its entries, and of each parameter name, shape (of a checkpoint of
   * MindSpore's also as the file has it), type under the format's own name, bytes, their SHA-256, the first five
   * values, the last, their sum without rounding but the last, the smallest and the largest. Reads all of the file.
   *
   * @param rows has no meaning here: a file of tensors has no rows
   */
  @Override public ObjectNode inspect(Path file, int rows) throws IOException {
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    try (TensorFile tensors = TensorFiles.open(file)) {
      out.put("file", file.toString()).put("format", tensors.format()).put("size", Files.size(file)).put("sha256",
          sha256(file));
      List<StoredTensor> all = tensors.tensors();
      out.put("entries", all.size());
      ArrayNode parameters = out.putArray("parameters");
      for (int i = 0; i < all.size(); i++) {
        StoredTensor t = all.get(i);
        ObjectNode node = parameters.addObject().put("name", t.name());
        if (tensors instanceof MindSporeCheckpoint c) {
          dims(node.putArray("dims_in_file"), c.parameters().get(i).dimsInFile());
        }
        dims(node.putArray("shape"), t.dims());
        node.put("type", tensors instanceof MindSporeCheckpoint ? t.type().mindSpore() : t.type().safeTensors());
        node.put("bytes", t.bytes());
        describe(t, node);
      }
    }
    return out;
  }

  private static void dims(ArrayNode to, List<Long> dims) {
    dims.forEach(to::add);
  }

  private static void describe(StoredTensor t, ObjectNode node) throws IOException {
    MessageDigest digest = digest();
    Values values = new Values(t.type());
    try (InputStream in = t.content().open()) {
      byte[] chunk = new byte[(int) Math.min(CHUNK, t.bytes())];
      for (int read; (read = in.readNBytes(chunk, 0, chunk.length)) > 0; ) {
        digest.update(chunk, 0, read);
        values.take(ByteBuffer.wrap(chunk, 0, read).order(ByteOrder.LITTLE_ENDIAN));
      }
    }
    node.put("sha256", HexFormat.of().formatHex(digest.digest()));
    values.describe(node);
  }

  private static String sha256(Path file) throws IOException {
    MessageDigest digest = digest();
    byte[] chunk = new byte[CHUNK];
    try (InputStream in = Files.newInputStream(file)) {
      for (int read; (read = in.read(chunk)) > 0; ) digest.update(chunk, 0, read);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
