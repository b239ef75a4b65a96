package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Ready-made pairs to evaluate on, as the original has them; all empty where a split of texts is evaluated.
 *
 * @param records MindRecord file or folder, a pair a row
 * @param ids {@code qid pid} a line, of each row
 * @param qrels {@code qid 0 pid grade} a line
 * @param scores where {@code qid<TAB>pid<TAB>score} goes
 */
public record EvalFiles(Optional<Path> records, Optional<Path> ids, Optional<Path> qrels, Optional<Path> scores) {
  /** No pairs. */
  public static final EvalFiles NONE =
      new EvalFiles(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
}
