package org.dyr.ranker.cli;

import java.nio.file.Path;
import org.dyr.device.DeviceOptions;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.model.ModelSource;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of commands that load a model. Taken in with {@code @Mixin}. */
final class ModelOption {
  @Mixin CommonOptions common;

  @Option(names = "--model", required = true, paramLabel = "PATH",
      description = "The model's directory, or a MindSpore checkpoint (.ckpt).")
  private Path path;

  @Mixin private CheckpointOption checkpoint;

  Ranker open() {
    ModelSource source = checkpoint.source(path);
    return Ranker.load(source.path(), source.config(), source.vocabulary(), common.device(), deviceOptions());
  }

  DeviceOptions deviceOptions() {
    return common.deviceOptions();
  }
}
