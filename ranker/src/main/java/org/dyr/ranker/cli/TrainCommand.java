package org.dyr.ranker.cli;

import java.util.concurrent.Callable;
import org.dyr.ranker.train.ConfigLoader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dyr train}: the keys of its configuration. */
@Command(name = "train", sortOptions = false, description = "Shows how training is configured.")
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--help-config", required = true,
      description = "Print every key with its default and what it means; the output is a configuration file.")
  private boolean helpConfig;

  @Override public Integer call() {
    spec.commandLine().getOut().print(ConfigLoader.help());
    return 0;
  }
}
