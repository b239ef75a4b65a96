package org.dyr.ranker.cli;

import java.nio.file.Path;
import org.dyr.device.DeviceOptions;
import org.dyr.ranker.Ranker;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of commands that load a model. Taken in with {@code @Mixin}. */
final class ModelOption {
  @Mixin CommonOptions common;

  @Option(names = "--model", required = true, paramLabel = "DIR", description = "The model's directory.")
  Path directory;

  Ranker open() {
    return Ranker.load(directory, common.device(), deviceOptions());
  }

  DeviceOptions deviceOptions() {
    return new DeviceOptions(common.threads(), common.kernels());
  }
}
