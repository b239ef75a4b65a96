package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.dyr.ranker.eval.RecordEvaluator;
import org.dyr.ranker.remote.RemotePaths;
import org.dyr.ranker.train.ConfigLoader;
import org.dyr.ranker.train.RemoteRun;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.Trainer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr train}: a training run. */
@Command(name = "train", sortOptions = false,
    description = "Trains a cross-encoder as a configuration file says. Ctrl-C or SIGTERM finishes the step, saves"
        + " and ends with exit code 130.")
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--config", paramLabel = "FILE",
      description = "The configuration, YAML; a dyr_config.yaml of the original DYR is translated.")
  private Path config;

  @Option(names = "--set", paramLabel = "KEY=VALUE",
      description = "Overrides a key of the configuration; may be repeated.")
  private Map<String, String> set = new LinkedHashMap<>();

  @Option(names = "--resume", paramLabel = "DIR",
      description = "Go on from a checkpoint, or from the newest one of a run's output folder.")
  private Path resume;

  @Option(names = "--profile",
      description = "Time every op, from the 11th step on; a table by op and by module at the end.")
  private boolean profile;

  @Option(names = "--check-nan", description = "Check every op's outputs; name the first that is infinite or NaN.")
  private boolean checkNan;

  @Option(names = "--help-config",
      description = "Print every key with its default and what it means; the output is a configuration file.")
  private boolean helpConfig;

  @Override public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    if (helpConfig) {
      out.print(ConfigLoader.help());
      return 0;
    }
    if (config == null) throw new ParameterException(spec.commandLine(), "--config FILE is needed (or --help-config)");
    Map<String, String> overrides = new LinkedHashMap<>(set);
    overrides.putAll(common.overrides());
    PrintWriter err = spec.commandLine().getErr();
    TrainConfig settings = settings(overrides, err);
    try (Interrupt interrupt = new Interrupt(); TrainingProgress progress = new TrainingProgress(err)) {
      RemoteRun run = new RemoteRun(settings, progress, line -> {
        err.println(line);
        err.flush();
      });
      Optional<Path> from = run.begin(Optional.ofNullable(resume));
      boolean finished;
      String summary;
      try (Trainer trainer = new Trainer(settings, from, new Trainer.Watch(profile, checkNan), run)) {
        finished = train(trainer, run, settings, interrupt, progress);
        summary = summary(trainer, finished, RemotePaths.text(settings.out()));
      }
      run.finish();
      out.println(summary);
      out.flush();
      return finished ? 0 : Interrupt.STOPPED;
    }
  }

  private static String summary(Trainer trainer, boolean finished, String place) {
    return finished ? "trained %d steps; %s; models in %s".formatted(trainer.steps(), trainer.truncation(), place)
        : "stopped after step %d; go on with --resume %s".formatted(trainer.steps(), place);
  }

  private TrainConfig settings(Map<String, String> overrides, PrintWriter err) throws IOException {
    List<String> notes = new ArrayList<>();
    try {
      TrainConfig settings = ConfigLoader.load(config, overrides, notes::add);
      if (!RemoteRun.fetch(settings)) return settings;
      notes.clear();
      return ConfigLoader.load(config, overrides, notes::add); // which now sees the files
    } finally {
      notes.forEach(err::println);
      err.flush();
    }
  }

  /**
   * Trains; what a run that fails has written goes up too, as far as it can.
   *
   * @return whether it came to its end, rather than to a signal
   */
  private boolean train(Trainer trainer, RemoteRun run, TrainConfig settings, Interrupt interrupt,
      TrainingProgress progress) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    boolean complete = false;
    boolean finished;
    try {
      finished = trainer.run(interrupt::requested);
      complete = true;
    } finally {
      if (!complete) run.tryUpload();
    }
    progress.close();
    trainer.profile().ifPresent(out::print);
    if (settings.evalFiles().records().isPresent()) {
      trainer.evaluation().ifPresent(m -> out.println(RecordEvaluator.originalLine(m)));
    }
    return finished;
  }
}
