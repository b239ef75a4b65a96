package org.dyr.benchmarks.peers;

/**
 * What a contestant did in a row.
 *
 * @param setting the fastest of those tried
 * @param score its times by round
 * @param peakBytes the most memory its process had
 * @param difference of its numbers from ours in fp32: of logits the largest, of loss and gradient norm the largest
 *     relative one; NaN where they are not comparable
 */
record Result(Contestant contestant, String setting, Rounds.Score score, long peakBytes, double difference) {
  private static final double MOST_DIFFERENCE = 1e-4;

  double millis() {
    return score.median();
  }

  /** Whether it computes something else than we do: in fp32, rounding alone makes no such difference. */
  boolean strays() {
    return contestant.precision() == Job.Precision.F32 && difference > MOST_DIFFERENCE;
  }

  boolean finished() {
    return score.failure() == null;
  }
}
