package org.dyr.ranker.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.model.ModelException;

/**
 * The checkpoints of a run, {@code OUT/checkpoints/step-000120}, and its finished models, {@code OUT/best} and
 * {@code OUT/model}. A directory is prepared under a hidden name, brought to the disk and renamed: whatever moment the
 * process is killed at, every directory without a dot is whole.
 */
final class Checkpoints {
  private static final Pattern NAME = Pattern.compile("step-(\\d+)");
  private static final String PREPARED = ".prepared-";
  private static final String REPLACED = ".replaced-";
  private static final String REMOVED = ".removed-";
  private static final Pattern LOGS = leftover("metrics\\.jsonl|evaluations\\.jsonl");

  /** Writes the files of a directory. */
  interface Content {
    void writeTo(Path directory) throws IOException;
  }

  private final Path out;
  private final Path folder;
  private final int keep;

  Checkpoints(Path out, int keep) {
    this.out = out;
    this.folder = out.resolve("checkpoints");
    this.keep = keep;
  }

  /** Makes the folders and clears away what a killed process left half done. */
  void open() throws IOException {
    Files.createDirectories(folder);
    for (Path parent : List.of(out, folder)) {
      for (Path p : list(parent)) {
        String name = p.getFileName().toString();
        if (name.startsWith(PREPARED) || name.startsWith(REMOVED)) AtomicFiles.removeTree(p);
        if (name.startsWith(REPLACED)) {
          Path original = p.resolveSibling(name.substring(REPLACED.length()));
          if (Files.exists(original)) AtomicFiles.removeTree(p);
          else Files.move(p, original);
        }
      }
    }
    clear(out, LOGS);
  }

  /** What a killed process leaves of a file that {@link AtomicFiles} was writing; other commands write beside a run. */
  static Pattern leftover(String names) {
    return Pattern.compile("\\.(?:%s)\\.[0-9a-f]{16}\\.tmp".formatted(names));
  }

  /** Removes the files of such names. */
  static void clear(Path directory, Pattern names) throws IOException {
    for (Path p : list(directory)) if (names.matcher(p.getFileName().toString()).matches()) Files.delete(p);
  }

  /** Publishes the checkpoint of a step and removes the oldest beyond those to keep. */
  void publish(long step, Content content) throws IOException {
    Path target = folder.resolve(String.format(Locale.ROOT, "step-%06d", step));
    if (!Files.exists(target)) put(target, content);
    List<Path> all = all();
    for (Path old : all.subList(0, Math.max(0, all.size() - keep))) remove(old);
  }

  /** Publishes {@code OUT/name}, in place of what is there. */
  void replace(String name, Content content) throws IOException {
    Path target = out.resolve(name), replaced = out.resolve(REPLACED + name);
    Path prepared = prepare(target, content);
    if (Files.exists(target)) Files.move(target, replaced);
    AtomicFiles.publishDirectory(prepared, target);
    AtomicFiles.removeTree(replaced);
  }

  private static void put(Path target, Content content) throws IOException {
    AtomicFiles.publishDirectory(prepare(target, content), target);
  }

  private static Path prepare(Path target, Content content) throws IOException {
    Path prepared = target.resolveSibling(PREPARED + target.getFileName());
    AtomicFiles.removeTree(prepared);
    Files.createDirectories(prepared);
    content.writeTo(prepared);
    return prepared;
  }

  /** Removes the checkpoints after a step: a run that goes on from it makes them anew. */
  void removeAfter(long step) throws IOException {
    for (Path p : all()) if (step(p) > step) remove(p);
  }

  /** Whether a checkpoint is one of this run's. */
  boolean has(Path checkpoint) throws IOException {
    return checkpoint.toRealPath().getParent().equals(folder.toRealPath());
  }

  /** Whether the run has a checkpoint. */
  boolean any() throws IOException {
    return !all().isEmpty();
  }

  /** Takes the checkpoint out of sight before its files go one by one. */
  private static void remove(Path checkpoint) throws IOException {
    Path removed = checkpoint.resolveSibling(REMOVED + checkpoint.getFileName());
    Files.move(checkpoint, removed, StandardCopyOption.ATOMIC_MOVE);
    AtomicFiles.removeTree(removed);
  }

  /**
   * The checkpoint that {@code --resume} names: a checkpoint itself, or the newest of a run's output directory.
   *
   * @throws ModelException when there is none
   */
  static Path find(Path directory) {
    if (Files.exists(directory.resolve(Checkpoint.STATE))) return directory;
    Optional<Path> newest = Optional.empty();
    try {
      List<Path> all = new Checkpoints(directory, 1).all();
      if (!all.isEmpty()) newest = Optional.of(all.getLast());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return newest.orElseThrow(() -> new ModelException(directory,
        "is neither a checkpoint (no %s) nor a run with checkpoints (no checkpoints/step-*)".formatted(
            Checkpoint.STATE)));
  }

  /** All whole checkpoints, oldest first. */
  private List<Path> all() throws IOException {
    return list(folder).stream().filter(p -> NAME.matcher(p.getFileName().toString()).matches())
        .sorted(Comparator.comparingLong(Checkpoints::step)).toList();
  }

  private static long step(Path checkpoint) {
    Matcher m = NAME.matcher(checkpoint.getFileName().toString());
    if (!m.matches()) throw new IllegalArgumentException("no checkpoint: " + checkpoint);
    return Long.parseLong(m.group(1));
  }

  private static List<Path> list(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) return List.of();
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }
}
