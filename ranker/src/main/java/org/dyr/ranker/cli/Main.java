package org.dyr.ranker.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.remote.RemoteException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The entry point. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 a training that a signal has stopped. */
@Command(name = "dyr", description = "Trains cross-encoders, evaluates them, and reranks with them.")
public final class Main implements Runnable {
  /** In the order of the usage. */
  private static final List<Class<?>> COMMANDS = List.of(DemoCommand.class, MineCommand.class, PrepareCommand.class,
      TrainCommand.class, EvalCommand.class, ScoreCommand.class, RerankCommand.class, MetricsCommand.class,
      ConvertCommand.class, InspectCommand.class, InfoCommand.class, BenchCommand.class, BundleCommand.class,
      RehearseCommand.class);

  @Spec private CommandSpec spec;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
  private boolean help;

  /** Lucene tells of its own set-up; kept here, since a logger that nobody holds forgets its level. */
  private static final Logger LUCENE = Logger.getLogger("org.apache.lucene");

  /** Runs one command and ends the process. */
  public static void main(String[] args) {
    LUCENE.setLevel(Level.WARNING);
    System.setProperty("slf4j.internal.verbosity", "ERROR"); // the AWS SDK logs through it, and nobody listens
    CommandLine line = commandLine(args);
    line.setOut(new PrintWriter(
        new BufferedWriter(new OutputStreamWriter(new StandardOutput(), StandardCharsets.UTF_8))));
    int code = line.execute(args);
    line.getErr().flush();
    Interrupt.exit(code);
  }

  /**
   * The command line; {@code execute} returns the exit code and never throws. Where the arguments begin with the name
   * of a command, it has that one alone: what commands can do is found out by reflection, a fifth of a second for all.
   */
  public static CommandLine commandLine(String... args) {
    CommandLine line = new CommandLine(new Main());
    List<Class<?>> named = COMMANDS.stream().filter(c -> args.length > 0 && name(c).equals(args[0])).limit(1).toList();
    for (Class<?> c : named.isEmpty() ? COMMANDS : named) line.addSubcommand(c);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(Failures::usage);
    line.setExecutionExceptionHandler(Failures::execution);
    line.registerConverter(Path.class, RemoteOptions::path);
    line.setExecutionStrategy(parsed -> {
      int code = execute(parsed);
      try {
        line.getOut().flush(); // what the buffer holds can still fail: a full disk, a closed pipe
      } catch (RuntimeException e) {
        throw new CommandLine.ExecutionException(line, "standard output", e);
      }
      return code;
    });
    return line;
  }

  private static String name(Class<?> command) {
    return command.getAnnotation(Command.class).name();
  }

  private static int execute(CommandLine.ParseResult parsed) {
    try {
      return RemoteOptions.execute(parsed, new CommandLine.RunLast());
    } catch (RemoteException | DataException | IOException e) {
      CommandLine.ParseResult command = parsed;
      while (command.hasSubcommand()) command = command.subcommand();
      throw new CommandLine.ExecutionException(command.commandSpec().commandLine(), "remote files", e);
    }
  }

  @Override public void run() {
    throw new ParameterException(spec.commandLine(),
        "a command is needed: " + String.join(", ", spec.subcommands().keySet()));
  }
}
