package org.dyr.tests.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.dyr.graph.Bucket;
import org.dyr.io.SafeTensorsFile;
import org.dyr.nn.BertConfig;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.op.Activation;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.tensor.DType;

/** The golden files: the model and the batch that go in, and the numbers that must come out. */
final class Golden {
  private Golden() {}

  static Path file(String name) {
    try {
      return Path.of(Golden.class.getResource("/golden/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The model's config with another activation. */
  static BertConfig config(Activation.Kind activation) {
    BertConfig c = ModelConfig.read(file("config.json"));
    return new BertConfig(c.vocabSize(), c.hiddenSize(), c.layers(), c.heads(), c.intermediateSize(), activation,
        c.maxPositions(), c.typeVocabSize(), c.layerNormEps(), c.hiddenDropout(), c.attentionDropout(),
        c.classifierDropout(), c.initializerRange());
  }

  /** Fills the weights with the model's. */
  static void load(Weights weights) {
    try (SafeTensorsFile model = SafeTensorsFile.open(file("model.safetensors")); Arena arena = Arena.ofConfined()) {
      assertEquals(weights.parameters().size(), model.names().size());
      for (Parameter p : weights.parameters()) {
        MemorySegment host = arena.allocate(weights.spec(p).bytes(), Double.BYTES);
        model.copy(p.name(), host, weights.type());
        weights.upload(p, host);
      }
    }
  }

  /** The six sequences in two groups. */
  static PackedBatch batch() {
    try (SafeTensorsFile f = SafeTensorsFile.open(file("batch.safetensors"))) {
      int[] ids = ints(f, "ids"), types = ints(f, "types"), offsets = ints(f, "offsets"), groups = ints(f,
          "group_offsets");
      PackedBatch batch = new PackedBatch(new Bucket(ids.length, offsets.length - 1, groups.length - 1));
      for (int s = 0, group = 1; s < offsets.length - 1; s++) {
        int[] type = Arrays.copyOfRange(types, offsets[s], offsets[s + 1]);
        int first = (int) Arrays.stream(type).filter(t -> t == 0).count();
        for (int i = 0; i < type.length; i++) assertEquals(i < first ? 0 : 1, type[i], "types of sequence " + s);
        batch.add(Arrays.copyOfRange(ids, offsets[s], offsets[s + 1]), first, s);
        if (s + 1 == groups[group]) {
          batch.endGroup();
          group++;
        }
      }
      assertEquals(groups.length - 1, batch.groups());
      return batch;
    }
  }

  /** All tensors of a file of F64. */
  static Map<String, double[]> numbers(String name) {
    try (SafeTensorsFile f = SafeTensorsFile.open(file(name)); Arena arena = Arena.ofConfined()) {
      Map<String, double[]> all = new HashMap<>();
      for (String tensor : f.names()) {
        MemorySegment host = arena.allocate(f.entry(tensor).elements() * Double.BYTES, Double.BYTES);
        f.copy(tensor, host, DType.F64);
        all.put(tensor, host.toArray(ValueLayout.JAVA_DOUBLE));
      }
      return all;
    }
  }

  private static int[] ints(SafeTensorsFile f, String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(f.entry(name).elements() * Integer.BYTES, Integer.BYTES);
      f.copy(name, host, DType.I32);
      return host.toArray(ValueLayout.JAVA_INT);
    }
  }
}
