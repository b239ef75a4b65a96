package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.List;
import org.dyr.ranker.eval.Metrics;

/** Follows a run; for progress bars. */
public interface TrainingListener {

  /**
   * A run begins.
   *
   * @param lines what there is to know about model, data, device and memory, a line each
   * @param first steps that were done before, in a run that goes on
   * @param total steps at the end
   */
  default void started(List<String> lines, long first, long total) {}

  /** A step is done. */
  default void stepped(StepRecord step) {}

  /** The dev split has been evaluated; {@code best} says whether the model was kept as the best so far. */
  default void evaluated(long step, Metrics metrics, boolean best) {}

  /** Something was written. */
  default void saved(Path path) {}

  /**
   * One line of {@code metrics.jsonl}.
   *
   * @param skipped steps so far that made no update because their gradient overflowed
   */
  record StepRecord(long step, double epoch, double loss, double learningRate, double gradientNorm, double lossScale,
      long skipped, double seconds, int sequences, int tokens) {}
}
