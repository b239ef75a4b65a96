package org.dyr.ranker.train;

/**
 * Where a run stands between two steps. With the weights, the optimizer's states and the config it is all that a run
 * is: groups and dropout are functions of the seed and the step.
 *
 * @param step steps done
 * @param groups groups taken from the endless stream of epochs: the data position
 * @param seed what groups and dropout follow from: the random state
 * @param best the best dev measure so far; NaN before the first evaluation
 * @param bestStep the step after which it was measured
 */
public record TrainingState(long step, long groups, long seed, double best, long bestStep) {

  static TrainingState start(long seed) {
    return new TrainingState(0, 0, seed, Double.NaN, 0);
  }

  TrainingState afterStep(int groupsTaken) {
    return new TrainingState(step + 1, groups + groupsTaken, seed, best, bestStep);
  }

  TrainingState withBest(double measure) {
    return new TrainingState(step, groups, seed, measure, step);
  }
}
