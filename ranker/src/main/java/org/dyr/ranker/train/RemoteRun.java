package org.dyr.ranker.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.remote.Remote;
import org.dyr.ranker.remote.RemoteException;
import org.dyr.ranker.remote.RemoteFolder;
import org.dyr.ranker.remote.RemotePaths;
import org.dyr.ranker.remote.S3Location;

/**
 * A run of which {@code out} is in a bucket: it is written locally and goes up after each checkpoint and at the end.
 * An upload that fails on the way is told and tried again with the next checkpoint; at the end it fails the run, which
 * then is whole in the local folder. Where {@code out} is local, all this does nothing.
 */
public final class RemoteRun implements TrainingListener {
  private static final Pattern CHECKPOINT = Pattern.compile("(checkpoints/step-(\\d+))/.+");

  private final TrainConfig config;
  private final TrainingListener next;
  private final Consumer<String> warnings;
  private final Optional<S3Location> at;
  private final RemoteFolder folder; // null where out is local

  /**
   * @param next is told all that this is told
   * @param warnings takes a line for each upload that failed and will be tried again
   */
  public RemoteRun(TrainConfig config, TrainingListener next, Consumer<String> warnings) {
    this.config = config;
    this.next = next;
    this.warnings = warnings;
    at = RemotePaths.location(config.out());
    folder = at.isPresent() ? new RemoteFolder(config.out(), Checkpoint.STATE) : null;
  }

  /**
   * Fetches all that the configuration names in buckets.
   *
   * @return whether there was anything; a configuration that was made before may then see more
   * @throws RemoteException when something is not there or cannot be read
   */
  public static boolean fetch(TrainConfig config) throws IOException {
    EvalFiles files = config.evalFiles();
    List<Path> remote = Stream.of(config.data(), config.groups(), config.modelConfig(), config.pretrained(),
        files.records(), files.ids(), files.qrels()).flatMap(Optional::stream)
        .filter(path -> RemotePaths.location(path).isPresent()).toList();
    for (Path path : remote) Remote.fetch(path);
    if (config.vocab().isPresent()) Remote.fetchVocabulary(config.vocab().get());
    return !remote.isEmpty() || config.vocab().flatMap(RemotePaths::location).isPresent();
  }

  /**
   * Looks at what the bucket has, before the run begins.
   *
   * @param resume what {@code --resume} names
   * @return what the run goes on from, local
   * @throws ConfigException when {@code out} has another run
   * @throws RemoteException when the bucket cannot be read
   */
  public Optional<Path> begin(Optional<Path> resume) throws IOException {
    Optional<S3Location> from = resume.flatMap(RemotePaths::location);
    if (folder == null) {
      if (resume.isPresent()) Remote.fetch(resume.get());
      return resume;
    }
    List<String> names = folder.names();
    OptionalLong there = newest(names);
    OptionalLong here = newest(localNames());
    boolean same = from.isPresent() && (from.get().toString() + "/").startsWith(at.get().toString() + "/");
    if (!same) {
      if (there.isPresent()) {
        throw new ConfigException("", ("out %s has the checkpoints of another run: go on with it (--resume %1$s), or "
            + "name another out").formatted(at.get()));
      }
      if (here.isPresent()) {
        throw new ConfigException("", ("a run with the same out could not be uploaded and is in %s: --resume %s goes "
            + "on with it, or remove that folder").formatted(config.out(), at.get()));
      }
      if (resume.isPresent()) Remote.fetch(resume.get());
      return resume;
    }
    if (there.isPresent() && (here.isEmpty() || here.getAsLong() < there.getAsLong())) {
      Set<String> whole = new HashSet<>();
      for (String name : names) {
        if (name.endsWith("/" + Checkpoint.STATE)) whole.add(name.substring(0, name.lastIndexOf('/')));
      }
      folder.download(name -> {
        Matcher m = CHECKPOINT.matcher(name);
        return !m.matches() || whole.contains(m.group(1));
      });
    }
    folder.own(name -> CHECKPOINT.matcher(name).matches() || name.startsWith("ckpt_0/"));
    return Optional.of(RemotePaths.out(from.get()));
  }

  private List<String> localNames() throws IOException {
    if (!Files.isDirectory(config.out())) return List.of();
    try (Stream<Path> files = Files.walk(config.out())) {
      return files.map(f -> config.out().relativize(f).toString().replace('\\', '/')).toList();
    }
  }

  /** The newest step of which a whole checkpoint is among the files. */
  private static OptionalLong newest(List<String> names) {
    return names.stream().filter(name -> name.endsWith("/" + Checkpoint.STATE)).map(CHECKPOINT::matcher)
        .filter(Matcher::matches).mapToLong(m -> Long.parseLong(m.group(2))).max();
  }

  @Override public void started(List<String> lines, long first, long total) {
    next.started(lines, first, total);
  }

  @Override public void stepped(StepRecord step) {
    next.stepped(step);
  }

  @Override public void evaluated(long step, Metrics metrics, boolean best) {
    next.evaluated(step, metrics, best);
  }

  @Override public void saved(Path path) {
    next.saved(path);
    if (folder != null) tryUpload();
  }

  /** Uploads what there is; a failure is a warning. */
  public void tryUpload() {
    try {
      upload();
    } catch (RemoteException | IOException e) {
      warnings.accept("not uploaded: %s; it is in %s and goes up with the next checkpoint".formatted(e.getMessage(),
          config.out()));
    }
  }

  private void upload() throws IOException {
    if (folder != null) folder.upload();
    Optional<Path> scores = config.evalFiles().scores().filter(Files::exists);
    if (scores.isPresent()) Remote.upload(scores.get());
  }

  /**
   * Uploads the finished run and removes its local folder.
   *
   * @throws RemoteException when that fails; the local folder then has all
   */
  public void finish() throws IOException {
    try {
      upload();
    } catch (RemoteException e) {
      if (folder == null) throw e;
      throw e.with("; the run is whole in %s, and --resume %s uploads it".formatted(config.out(), folder));
    }
    if (folder != null) folder.removeLocal();
  }
}
