package org.dyr.ranker.cli;

import java.nio.file.Path;
import java.util.Optional;
import org.dyr.ranker.model.ModelSource;
import picocli.CommandLine.Option;

/** What a MindSpore checkpoint does not tell of its model. Taken in with {@code @Mixin}. */
final class CheckpointOption {
  @Option(names = "--model-config", paramLabel = "FILE",
      description = "config.json of a .ckpt; without it the tensors tell the sizes, with a head every 64.")
  private Path config;

  @Option(names = "--vocab", paramLabel = "FILE",
      description = "vocab.txt or tokenizer.json of a .ckpt; texts cannot be read without.")
  private Path vocabulary;

  /** The model at a path. */
  ModelSource source(Path path) {
    return source(path, Optional.empty(), 0);
  }

  /** The model at a path, with what a configuration file says of it, which gives way to the options. */
  ModelSource source(Path path, Optional<Path> vocab, int heads) {
    return new ModelSource(path, Optional.ofNullable(config), Optional.ofNullable(vocabulary).or(() -> vocab), heads);
  }
}
