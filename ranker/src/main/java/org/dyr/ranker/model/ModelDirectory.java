package org.dyr.ranker.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.io.ModelTensors;
import org.dyr.io.SafeTensorsFile;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.tensor.DType;

/**
 * A model directory: {@code config.json}, {@code vocab.txt} or {@code tokenizer.json}, and {@code model.safetensors}
 * (or its shards) with the names of BertForSequenceClassification.
 */
public final class ModelDirectory {
  private static final String PREFIX = "bert.";

  private ModelDirectory() {}

  /**
   * Loads a trained model.
   *
   * @throws ModelException when a file or a parameter is missing or does not fit
   */
  public static Model load(Path directory, Backend backend) {
    List<String> fresh = new ArrayList<>();
    Model model = load(directory, ModelConfig.read(directory.resolve(ModelConfig.FILE)), backend, 0, fresh);
    if (!fresh.isEmpty()) {
      model.close();
      throw new ModelException(directory, "the weights of %s are missing: is it trained for ranking?".formatted(fresh));
    }
    return model;
  }

  /**
   * Loads a pretrained BERT to go on from. Pooler, classifier and the tables of relative positions may be missing and
   * then begin fresh.
   *
   * @param config the directory's own, or that with another dropout
   * @param fresh takes the names of the parameters that begin fresh
   */
  public static Model load(Path directory, BertConfig config, Backend backend, long seed, List<String> fresh) {
    Bert bert = new Bert(config);
    Tokenizer tokenizer = Tokenizer.load(directory);
    Weights weights = null;
    try (ModelTensors tensors = ModelTensors.open(directory)) {
      Model.checkVocabulary(config, tokenizer);
      weights = new Weights(backend, DType.F32, bert.parameters());
      weights.initialize(seed, config.initializerRange());
      for (Parameter p : bert.parameters()) {
        Optional<String> name = find(tensors, p.name());
        if (name.isPresent()) copy(tensors, name.get(), p, weights);
        else if (mayBeginFresh(p.name())) fresh.add(p.name());
        else throw new ModelException(directory, "has no tensor " + p.name());
      }
      return new Model(bert, weights, tokenizer, backend);
    } catch (RuntimeException | Error e) {
      if (weights != null) weights.close();
      tokenizer.close();
      if (e instanceof IllegalArgumentException) throw new ModelException(directory, e.getMessage(), e);
      throw e;
    }
  }

  private static boolean mayBeginFresh(String name) {
    return name.startsWith("bert.pooler.") || name.startsWith("classifier.")
        || name.endsWith("attention.self.relative_positions.weight");
  }

  /** The name as it stands, without the prefix (a bare BertModel), or with TensorFlow's names of layer norm. */
  private static Optional<String> find(ModelTensors tensors, String name) {
    List<String> names = new ArrayList<>(List.of(name));
    if (name.startsWith(PREFIX)) names.add(name.substring(PREFIX.length()));
    for (String n : List.copyOf(names)) {
      if (n.contains("LayerNorm")) names.add(n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"));
    }
    return names.stream().filter(tensors::contains).findFirst();
  }

  private static void copy(ModelTensors tensors, String name, Parameter p, Weights weights) {
    SafeTensorsFile.Entry entry = tensors.entry(name);
    List<Long> expected = new ArrayList<>();
    for (int d : p.shape().dims()) expected.add((long) d);
    if (!entry.dims().equals(expected)) {
      throw new ModelException(tensors.fileOf(name).path(), "%s has the shape %s, config.json asks for %s".formatted(name,
          entry.dims(), expected));
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(weights.spec(p).bytes(), Long.BYTES);
      tensors.copy(name, host, weights.type());
      weights.upload(p, host);
    }
  }

  /** Writes a model into an existing directory, each file in one step. */
  public static void save(Model model, Path directory) {
    try {
      Files.createDirectories(directory);
      ModelConfig.write(directory.resolve(ModelConfig.FILE), model.bert().config());
    } catch (IOException e) {
      throw new ModelException(directory, "cannot be written: " + e, e);
    }
    model.tokenizer().save(directory);
    Weights weights = model.weights();
    try (Arena arena = Arena.ofConfined()) {
      List<SafeTensorsWriter.Tensor> tensors = new ArrayList<>();
      for (Parameter p : weights.parameters()) {
        tensors.add(new SafeTensorsWriter.Tensor(p.name(), weights.type(), p.shape(), weights.view(weights.slab(), p, arena)));
      }
      SafeTensorsWriter.write(directory.resolve(ModelTensors.FILE), tensors, Map.of("format", "pt"));
    }
  }
}
