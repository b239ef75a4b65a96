package org.dyr.ranker.eval;

/**
 * The forms of a run file and how it is ordered. The number of columns in the first row holds for the whole file: six
 * are TREC, four are MS MARCO ranks with a score behind them. Three columns are MS MARCO ranks when every third column
 * of the whole file is a positive integer in plain digits and no query has the same one twice; otherwise they are
 * scores. Of equal scores the greater pid, by its UTF-8 bytes, goes first, as in trec_eval. (Ranks need
 * not start at 1 nor be without holes, since runs are often filtered. A score file whose scores are all distinct
 * positive integers would be taken for ranks; one score written with a decimal point settles it.)
 */
public enum RunFormat {
  /** {@code qid Q0 pid rank score tag}, by falling score, then falling pid; the rank column is not used. */
  TREC("TREC run, by score"),
  /** {@code qid pid rank}, by rising rank, equal ranks in input order; a fourth column is a score and is not used. */
  MS_MARCO("MS MARCO run, by rank"),
  /** {@code qid pid score}, by falling score, then falling pid. */
  SCORES("score file, by score");

  private final String words;

  RunFormat(String words) {
    this.words = words;
  }

  /** A few words for a report. */
  public String words() {
    return words;
  }
}
