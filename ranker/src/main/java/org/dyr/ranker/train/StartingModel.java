package org.dyr.ranker.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dyr.device.Backend;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Numerics;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.ModelException;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.text.Tokenizer;

/**
 * The model that a run begins with: a fresh one, a pretrained one with what the run changes of it, or a checkpoint's.
 *
 * @param notes gets what a user should know of it
 */
record StartingModel(TrainConfig config, Backend backend, List<String> notes) {

  /** The pretrained model that the configuration names, or one of its own from its seed. */
  Model fresh() {
    if (config.source().isPresent()) {
      ModelSource source = config.source().get();
      List<String> begun = new ArrayList<>();
      Model loaded = source.load(adapted(source.bert()), backend, config.seed(), begun);
      if (!begun.isEmpty()) notes.add("not in %s, begun fresh: %s".formatted(source.path(), begun));
      if (!loaded.readsText()) notes.add("no vocabulary is known (vocab names one): the models score no texts");
      return loaded;
    }
    BertConfig bert = adapted(ModelConfig.read(config.modelConfig().orElseThrow()));
    return Model.create(bert, Tokenizer.load(config.vocab().orElseThrow()), backend, config.seed());
  }

  /** The model of a checkpoint; the run may give it another dropout. */
  Model of(Path checkpoint) {
    // A checkpoint has its own vocabulary: its run may go on where that of its configuration is not.
    Optional<Path> vocabulary = config.vocab().filter(Files::exists);
    ModelSource source = new ModelSource(checkpoint, Optional.empty(), vocabulary, 0);
    BertConfig is = source.bert();
    if (!withNumerics(is).equals(is)) throw otherModel("numerics", config.numerics().get(), checkpoint);
    Optional<Boolean> relative = config.useRelativePositions();
    if (relative.isPresent() && relative.get() != is.relativePositions()) {
      throw otherModel("use_relative_positions", relative.get(), checkpoint);
    }
    BertConfig bert = config.dropout().map(is::withDropout).orElse(is);
    List<String> begun = new ArrayList<>();
    Model model = source.load(bert, backend, config.seed(), begun);
    if (begun.isEmpty()) return model;
    model.close();
    throw new ModelException(checkpoint, "the weights of %s are missing".formatted(begun));
  }

  private static ConfigException otherModel(String key, Object value, Path checkpoint) {
    return new ConfigException("", ("%s is %s, and %s says otherwise: leave it out to go on, or begin another run with "
        + "that model (pretrained: %s)").formatted(key, value, checkpoint.resolve(ModelConfig.FILE), checkpoint));
  }

  /** The model's configuration with what the run changes of it. */
  private BertConfig adapted(BertConfig bert) {
    BertConfig b = config.dropout().map(bert::withDropout).orElse(bert);
    if (config.useRelativePositions().isPresent()) b = b.withRelativePositions(config.useRelativePositions().get());
    if (b.relativePositions() && config.maxLength() > b.maxPositions()) {
      if (config.maxLength() > BertConfig.MOST_RELATIVE_POSITIONS) {
        throw new ConfigException("", "max_length %d is longer than %d positions, the most where they are relative"
            .formatted(config.maxLength(), BertConfig.MOST_RELATIVE_POSITIONS));
      }
      b = b.withMaxPositions(config.maxLength());
    }
    return withNumerics(b);
  }

  private BertConfig withNumerics(BertConfig b) {
    return config.numerics().map(name -> Numerics.valueOf(name.toUpperCase(Locale.ROOT)).of(b)).orElse(b);
  }
}
