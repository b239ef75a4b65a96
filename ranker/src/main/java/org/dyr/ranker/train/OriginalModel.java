package org.dyr.ranker.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.dyr.nn.BertConfig;
import org.dyr.op.Activation;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.ModelSource;

/**
 * Holds the sizes of the original's {@code dyr_net_cfg} against those of the model that is to be trained: there they
 * say how the net is built, here the model's {@code config.json} does.
 */
final class OriginalModel {
  static final String HEADS = "dyr_net_cfg.num_attention_heads";

  /** The keys that are compared. */
  static final List<String> SIZES = List.of("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
      "intermediate_size", "max_position_embeddings", "type_vocab_size");

  private OriginalModel() {}

  /**
   * Compares the file with the model, where its config is there to be read; that it is not, the trainer will say. A
   * model that --set names stands, whatever the file says.
   *
   * @param file dotted key to entry, of the original's file
   * @param overridden keys of this project that --set gives
   * @throws ConfigException at the first size that differs
   */
  static void compare(Map<String, ConfigFile.Entry> file, TrainConfig config, Set<String> overridden,
      Consumer<String> notes) {
    boolean stands = overridden.contains("model_config") || overridden.contains("pretrained");
    if (config.source().isPresent()) {
      compare(file, config.source().get(), stands, notes);
      return;
    }
    Path path = config.modelConfig().orElseThrow();
    if (Files.isRegularFile(path)) compare(file, ModelConfig.read(path), path, stands, notes);
  }

  /** As above, with a model that is loaded. */
  static void compare(Map<String, ConfigFile.Entry> file, ModelSource source, boolean stands, Consumer<String> notes) {
    boolean checkpoint = ModelSource.isCheckpoint(source.path());
    Path path = checkpoint ? source.path() : source.path().resolve(ModelConfig.FILE);
    if (Files.isRegularFile(path)) compare(file, source.bert(), path, stands, notes);
  }

  private static void compare(Map<String, ConfigFile.Entry> file, BertConfig model, Path path, boolean stands,
      Consumer<String> notes) {
    for (String size : SIZES) {
      ConfigFile.Entry asked = file.get("dyr_net_cfg." + size);
      int is = size(model, size);
      if (asked == null || asked.text().isEmpty() || asked.text().equals(Integer.toString(is))) continue;
      if (stands) {
        notes.accept("dyr_net_cfg.%s %s gives way to %s, which --set names: %d".formatted(size, asked.text(), path,
            is));
      } else {
        throw new ConfigException(asked.place(), "dyr_net_cfg.%s is %s, but %s has %d: not the model that is meant"
            .formatted(size, asked.text(), path, is));
      }
    }
    if (model.activation() == Activation.Kind.GELU) {
      notes.accept("%s has gelu by erf, MindSpore's is by tanh (gelu_new): right for a model trained with erf"
          .formatted(path));
    }
  }

  private static int size(BertConfig model, String name) {
    return switch (name) {
      case "vocab_size" -> model.vocabSize();
      case "hidden_size" -> model.hiddenSize();
      case "num_hidden_layers" -> model.layers();
      case "num_attention_heads" -> model.heads();
      case "intermediate_size" -> model.intermediateSize();
      case "max_position_embeddings" -> model.maxPositions();
      default -> model.typeVocabSize();
    };
  }
}
