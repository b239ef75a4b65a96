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

  double millis() {
    return score.median();
  }

  boolean finished() {
    return score.failure() == null;
  }
}
