package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CancellationException;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.formats.FormatException;
import org.dyr.graph.NotFiniteException;
import org.dyr.io.SafeTensorsException;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.model.ModelException;
import org.dyr.ranker.model.NotFiniteScoreException;
import org.dyr.ranker.remote.RemoteException;
import org.dyr.ranker.text.TokenizerException;
import org.dyr.ranker.train.ConfigException;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** What a failure looks like: one line on standard error, the stack trace only with --verbose. */
final class Failures {
  private Failures() {}

  /** Wrong usage: exit code 2. */
  static int usage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    String name = command.getCommandSpec().qualifiedName();
    err.println(name + ": " + oneLine(e.getMessage()));
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("'" + name + " --help' shows the usage.");
    err.flush();
    return CommandLine.ExitCode.USAGE;
  }

  /** A command that failed: exit code 1; 0 when only the reader of its output went away. */
  static int execution(Exception e, CommandLine command, ParseResult parsed) {
    // An Error, and what the execution strategy throws, come wrapped.
    Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
    if (cause instanceof StandardOutput.ClosedPipe) return CommandLine.ExitCode.OK;
    PrintWriter err = command.getErr();
    err.println(command.getCommandSpec().qualifiedName() + ": " + oneLine(message(cause)));
    if (verbose(parsed)) cause.printStackTrace(err);
    err.flush();
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static boolean verbose(ParseResult parsed) {
    for (ParseResult at = parsed; at != null; at = at.subcommand()) {
      if (at.hasMatchedOption("--verbose")) return true;
    }
    return false;
  }

  private static String message(Throwable e) {
    return switch (e) {
      case NoSuchFileException f -> f.getFile() + ": no such file";
      case AccessDeniedException f -> f.getFile() + ": permission denied";
      case FileSystemException f -> f.getFile() + ": " + (f.getReason() == null ? f.toString() : f.getReason());
      case UncheckedIOException u when u.getMessage().equals(u.getCause().toString()) -> message(u.getCause());
      case UncheckedIOException u -> u.getMessage();
      case IOException _, IllegalArgumentException _ when e.getMessage() != null -> e.getMessage();
      // What this project foresees: the message says all.
      case ConfigException _, DataException _, TokenizerException _, ModelException _, RemoteException _ ->
          e.getMessage();
      case SafeTensorsException _, FormatException _, NotFiniteException _, NotFiniteScoreException _,
          OutOfDeviceMemory _, CancellationException _ ->
          e.getMessage();
      case OutOfMemoryError o -> "out of memory: " + o.getMessage() + "; DYR_JAVA_OPTIONS=-Xmx8g gives Java more";
      default -> e + " (--verbose shows where)"; // not foreseen: its type tells more than its message alone
    };
  }

  private static String oneLine(String message) {
    return String.valueOf(message).strip().replaceAll("\\s*\\R\\s*", "; ");
  }
}
