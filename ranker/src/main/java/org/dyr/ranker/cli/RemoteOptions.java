package org.dyr.ranker.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.remote.Remote;
import org.dyr.ranker.remote.RemoteException;
import org.dyr.ranker.remote.RemotePaths;
import org.dyr.ranker.remote.S3Location;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionStrategy;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.TypeConversionException;

/**
 * Options of any command that name {@code s3://bucket/key}. What a command reads is fetched before it runs; what it
 * writes goes to a folder of its own and is uploaded when the command has succeeded.
 */
final class RemoteOptions {
  private static final Set<String> WRITTEN = Set.of("--out", "--to", "--scores");
  private static final String RESUME = "--resume"; // dyr train knows what of a run it needs
  private static final String VOCABULARY = "--vocab";
  private static final String FORCE = "--force";

  private RemoteOptions() {}

  /** The path that an option's text means. */
  static Path path(String text) {
    try {
      return RemotePaths.input(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  /** Runs a command between fetching and uploading; without such options it just runs. */
  static int execute(ParseResult parsed, IExecutionStrategy next) throws IOException {
    ParseResult command = parsed;
    while (command.hasSubcommand()) command = command.subcommand();
    Map<Path, S3Location> written = new LinkedHashMap<>();
    List<ArgSpec> args = new ArrayList<>(command.matchedOptions());
    args.addAll(command.matchedPositionals());
    for (ArgSpec arg : args) {
      if (arg.typedValues().isEmpty() || !(arg.typedValues().getLast() instanceof Path path)) continue;
      S3Location at = RemotePaths.location(path).orElse(null);
      String name = arg instanceof OptionSpec option ? option.longestName() : "";
      if (at == null || name.equals(RESUME)) continue;
      if (name.equals(VOCABULARY)) {
        Remote.fetchVocabulary(path);
      } else if (!WRITTEN.contains(name)) {
        Remote.fetch(path);
      } else {
        requireFree(command, name, at);
        Files.createDirectories(RemotePaths.root());
        Path local = Files.createTempDirectory(RemotePaths.root(), "written-").resolve(path.getFileName());
        arg.setValue(local);
        written.put(local, at);
      }
    }
    if (written.isEmpty()) return next.execute(parsed);
    boolean done = false;
    try {
      int code = next.execute(parsed);
      if (code == CommandLine.ExitCode.OK) upload(written);
      done = true;
      return code;
    } finally {
      if (!done) keep(written, command.commandSpec().commandLine());
    }
  }

  private static void requireFree(ParseResult command, String name, S3Location at) {
    boolean forces = command.commandSpec().findOption(FORCE) != null && !command.hasMatchedOption(FORCE);
    if (forces && Remote.exists(at)) throw new DataException(at + ": is already there; --force replaces it");
    if (name.equals("--to") && Remote.isFolder(at)) throw new DataException(at + ": is there already and not empty");
  }

  /** What the command wrote, each with what it wrote beside it (an index, shards). */
  private static void upload(Map<Path, S3Location> written) throws IOException {
    for (Map.Entry<Path, S3Location> w : written.entrySet()) {
      Path folder = w.getKey().getParent();
      try {
        if (w.getValue().key().isEmpty()) Remote.upload(w.getKey(), w.getValue());
        else Remote.upload(folder, w.getValue().parent());
      } catch (RemoteException e) {
        throw e.with("; what was written is in " + folder);
      }
    }
    for (Path local : written.keySet()) AtomicFiles.removeTree(local.getParent());
  }

  private static void keep(Map<Path, S3Location> written, CommandLine line) throws IOException {
    for (Path local : written.keySet()) {
      Path folder = local.getParent();
      if (!Files.isDirectory(folder)) continue;
      try (var files = Files.walk(folder)) {
        if (files.anyMatch(Files::isRegularFile)) line.getErr().println("what was written so far is in " + folder);
        else AtomicFiles.removeTree(folder);
      }
    }
  }
}
