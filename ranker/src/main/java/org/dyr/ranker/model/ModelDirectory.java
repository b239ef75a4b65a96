package org.dyr.ranker.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.io.ModelTensors;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;

/**
 * A model directory: {@code config.json}, {@code vocab.txt} or {@code tokenizer.json}, and {@code model.safetensors}
 * (or its shards) with the names of BertForSequenceClassification.
 */
public final class ModelDirectory {
  private ModelDirectory() {}

  /**
   * Loads a trained model; {@link ModelSource} also takes checkpoints.
   *
   * @throws ModelException when a file or a parameter is missing or does not fit
   */
  public static Model load(Path directory, Backend backend) {
    return ModelSource.of(directory).load(backend);
  }

  /**
   * Writes a model into a directory, which is made where there is none, each file in one step.
   *
   * @throws ModelException when the directory cannot be made
   * @throws org.dyr.ranker.text.TokenizerException when a file of the tokenizer cannot be written
   * @throws java.io.UncheckedIOException when config.json or the weights cannot be written
   * @throws IllegalArgumentException when it was loaded for scoring alone
   */
  public static void save(Model model, Path directory) {
    model.weights().requireTrainable();
    try {
      Files.createDirectories(directory);
      ModelConfig.write(directory.resolve(ModelConfig.FILE), model.bert().config(), model.lengths());
    } catch (IOException e) {
      throw new ModelException(directory, "cannot be written: " + e, e);
    }
    if (model.readsText()) model.tokenizer().save(directory);
    Weights weights = model.weights();
    try (Arena arena = Arena.ofConfined()) {
      List<SafeTensorsWriter.Tensor> tensors = new ArrayList<>();
      for (Parameter p : weights.parameters()) {
        tensors.add(new SafeTensorsWriter.Tensor(p.name(), weights.type(), p.shape(),
            weights.view(weights.slab(), p, arena)));
      }
      SafeTensorsWriter.write(directory.resolve(ModelTensors.FILE), tensors, Map.of("format", "pt"));
    }
  }
}
