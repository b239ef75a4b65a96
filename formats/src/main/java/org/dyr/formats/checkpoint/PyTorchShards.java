package org.dyr.formats.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.formats.FormatException;

/**
 * A model that {@code pytorch_model.bin.index.json} spreads over several PyTorch files. The index decides: a tensor of
 * a shard that it does not name is not shown.
 */
final class PyTorchShards implements TensorFile {
  /** The index's name in a model directory. */
  static final String INDEX = "pytorch_model.bin.index.json";
  private static final long MOST_INDEX = 64 << 20; // bytes
  private static final int MOST_SHARDS = 1000;
  private static final JsonMapper MAPPER = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private final Path directory;
  private final Map<String, PyTorchCheckpoint> shards = new LinkedHashMap<>();
  private final List<StoredTensor> tensors = new ArrayList<>();

  private PyTorchShards(Path directory) {
    this.directory = directory;
  }

  /** @throws FormatException if the index is wrong, or a shard, or the two together */
  static PyTorchShards open(Path directory) throws IOException {
    PyTorchShards model = new PyTorchShards(directory);
    boolean opened = false;
    try {
      model.read(directory.resolve(INDEX));
      opened = true;
      return model;
    } finally {
      if (!opened) model.close();
    }
  }

  private void read(Path index) throws IOException {
    if (!Files.isRegularFile(index) || Files.size(index) > MOST_INDEX) {
      throw new FormatException(index, "", "must be a regular file of at most %d bytes".formatted(MOST_INDEX));
    }
    JsonNode weights;
    try {
      weights = MAPPER.readTree(Files.readAllBytes(index)).path("weight_map");
    } catch (JsonProcessingException e) {
      throw new FormatException(index, "", "is no valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!weights.isObject() || weights.isEmpty()) {
      throw new FormatException(index, "", "must be an object with an object \"weight_map\", each tensor's file");
    }
    Map<String, Map<String, StoredTensor>> byShard = new HashMap<>();
    for (Map.Entry<String, JsonNode> entry : weights.properties()) {
      String where = "tensor " + Shown.text(entry.getKey()), name = entry.getValue().textValue();
      if (name == null || !isPlainName(name)) {
        throw new FormatException(index, where, Shown.text(entry.getValue().toString())
            + " is not the plain name of a .bin file in this directory");
      }
      Map<String, StoredTensor> shard = byShard.get(name);
      if (shard == null) {
        shard = open(index, name);
        byShard.put(name, shard);
      }
      StoredTensor tensor = shard.get(entry.getKey());
      if (tensor == null) throw new FormatException(index, where, "is not in " + Shown.text(name));
      tensors.add(tensor);
    }
  }

  private Map<String, StoredTensor> open(Path index, String name) throws IOException {
    if (shards.size() == MOST_SHARDS) {
      throw new FormatException(index, "", "names more than %d files".formatted(MOST_SHARDS));
    }
    PyTorchCheckpoint shard = PyTorchCheckpoint.open(directory.resolve(name));
    shards.put(name, shard);
    Map<String, StoredTensor> byName = new HashMap<>();
    shard.tensors().forEach(t -> byName.put(t.name(), t));
    return byName;
  }

  /** An index comes with a model from elsewhere and must not reach outside its directory. */
  private static boolean isPlainName(String name) {
    return name.endsWith(".bin")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
  }

  @Override public Path path() {
    return directory;
  }

  @Override public String format() {
    return "PyTorch files";
  }

  @Override public List<StoredTensor> tensors() {
    return List.copyOf(tensors);
  }

  @Override public void close() throws IOException {
    IOException failure = null;
    for (PyTorchCheckpoint shard : shards.values()) {
      try {
        shard.close();
      } catch (IOException e) {
        if (failure == null) failure = e;
        else failure.addSuppressed(e);
      }
    }
    if (failure != null) throw failure;
  }
}
