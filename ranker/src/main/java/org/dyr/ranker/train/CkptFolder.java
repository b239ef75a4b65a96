package org.dyr.ranker.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dyr.ranker.model.CheckpointFile;
import org.dyr.ranker.model.Model;

/**
 * {@code OUT/ckpt_0}, where the original's users look for their model: the weights of the newest checkpoint,
 * {@code PREFIX-EPOCH_STEP.ckpt}, as MindSpore names it. Nothing is removed there but what the run itself wrote.
 */
final class CkptFolder {
  private static final String END = ".ckpt";

  private final Path folder;
  private final String prefix;
  private Optional<Path> previous = Optional.empty();

  /** @param prefix the version of DYR */
  CkptFolder(Path out, String prefix) {
    folder = out.resolve("ckpt_0");
    this.prefix = prefix;
  }

  /**
   * Looks at the model, and clears away what a killed process left half done.
   *
   * @throws org.dyr.ranker.model.ModelException when the model is none that MindSpore knows
   */
  void open(Model model) throws IOException {
    CheckpointFile.check(folder, model);
    Checkpoints.clear(folder, Checkpoints.leftover(Pattern.quote(prefix) + "-\\d+_\\d+" + Pattern.quote(END)));
  }

  /** @throws ConfigException when another run's file is there */
  void begin() throws IOException {
    if (!Files.isDirectory(folder)) return;
    try (Stream<Path> files = Files.list(folder)) {
      Optional<Path> other = files.filter(f -> f.getFileName().toString().startsWith(prefix)
          && f.getFileName().toString().endsWith(END)).findFirst();
      if (other.isPresent()) {
        throw new ConfigException("", "%s is another run's: name another out, or --set save_ckpt=false".formatted(
            other.get()));
      }
    }
  }

  /** Goes on after the file of this epoch and step. */
  void goOn(long epoch, long step) {
    previous = Optional.of(file(epoch, step)).filter(Files::exists);
  }

  /**
   * Writes the weights and removes the file before.
   *
   * @param epoch from 1
   * @param step of the epoch, from 1
   */
  void write(Model model, long epoch, long step) throws IOException {
    Files.createDirectories(folder);
    Path file = file(epoch, step);
    CheckpointFile.write(file, model);
    if (previous.isPresent() && !previous.get().equals(file)) Files.deleteIfExists(previous.get());
    previous = Optional.of(file);
  }

  private Path file(long epoch, long step) {
    return folder.resolve(prefix + "-" + epoch + "_" + step + END);
  }
}
