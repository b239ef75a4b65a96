package org.dyr.ranker.eval;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Writes scored pools as files that {@link RunReader} and others read back. Each file comes whole or not at all. */
public final class RunWriter {
  private RunWriter() {}

  /**
   * Writes {@code qid<TAB>pid<TAB>score}, nine significant digits, in the order of the pools.
   *
   * @throws IllegalArgumentException when a score is not finite or an id is empty or holds white space
   */
  public static void writeScores(Path file, List<ScoredPool> pools) throws IOException {
    AtomicText.write(file, out -> {
      for (ScoredPool pool : pools) {
        String qid = id(pool.qid());
        for (ScoredPool.Passage p : pool.passages()) {
          out.append(qid).append('\t').append(id(p.pid())).append('\t').append(score(p.score())).append('\n');
        }
      }
    });
  }

  /**
   * Writes {@code qid Q0 pid rank score tag}, ranks from 1, best first, equal scores by falling pid: the order in
   * which {@link RunReader} and trec_eval, which do not look at the ranks, read it back.
   *
   * @param tag the name of the run
   * @throws IllegalArgumentException as {@link #writeScores}; also when a passage occurs twice in a pool
   */
  public static void writeTrec(Path file, List<ScoredPool> pools, String tag) throws IOException {
    id(tag);
    AtomicText.write(file, out -> {
      for (ScoredPool pool : pools) {
        String qid = id(pool.qid());
        int rank = 0;
        for (ScoredPool.Passage p : pool.ranked()) {
          out.append(qid).append(" Q0 ").append(id(p.pid())).append(' ').append(Integer.toString(++rank)).append(' ')
              .append(score(p.score())).append(' ').append(tag).append('\n');
        }
      }
    });
  }

  /**
   * A score with nine significant digits, enough to read the same float back.
   *
   * @throws IllegalArgumentException when it is NaN or infinite
   */
  public static String score(float score) {
    if (!Float.isFinite(score)) {
      throw new IllegalArgumentException("the score %s is not a finite number".formatted(score));
    }
    return String.format(Locale.ROOT, "%.9g", score);
  }

  /**
   * An id as it stands in a file.
   *
   * @throws IllegalArgumentException when it is empty or holds white space
   */
  public static String id(String id) {
    if (id.isEmpty() || id.chars().anyMatch(c -> c <= ' ')) {
      throw new IllegalArgumentException("'%s' cannot stand in a run file: empty or with white space".formatted(id));
    }
    return id;
  }
}
