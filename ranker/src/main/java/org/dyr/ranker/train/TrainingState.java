package org.dyr.ranker.train;

import java.util.Optional;
import org.dyr.optim.LossScale;

/**
 * Where a run stands between two steps. With the weights, the optimizer's states and the config it is all that a run
 * is: groups and dropout are functions of the seed and the step.
 *
 * @param step steps done
 * @param groups groups taken from the endless stream of epochs: the data position
 * @param seed what groups and dropout follow from: the random state
 * @param best the best dev measure so far; NaN before the first evaluation
 * @param bestStep the step after which it was measured
 * @param lossScale of the next step; empty where the loss is not scaled
 * @param skipped steps that made no update because their gradient overflowed
 * @param evaluationDue whether the model is to be evaluated as it is after this step, which has not been done
 */
public record TrainingState(long step, long groups, long seed, double best, long bestStep,
    Optional<LossScale> lossScale, long skipped, boolean evaluationDue) {

  static TrainingState start(long seed, Optional<LossScale> lossScale) {
    return new TrainingState(0, 0, seed, Double.NaN, 0, lossScale, 0, false);
  }

  /** Updates made: the optimizer's own count of steps, which its schedule follows. */
  long updates() {
    return step - skipped;
  }

  /** @param applied whether the step made its update */
  TrainingState afterStep(int groupsTaken, boolean applied) {
    return new TrainingState(step + 1, groups + groupsTaken, seed, best, bestStep, lossScale.map(s -> s.after(applied)),
        applied ? skipped : skipped + 1, false);
  }

  TrainingState withBest(double measure) {
    return new TrainingState(step, groups, seed, measure, step, lossScale, skipped, evaluationDue);
  }

  /** The same before or after the evaluation that follows its step. */
  TrainingState withEvaluationDue(boolean due) {
    return new TrainingState(step, groups, seed, best, bestStep, lossScale, skipped, due);
  }

  /** The same before its first evaluation. */
  TrainingState withoutBest() {
    return new TrainingState(step, groups, seed, Double.NaN, 0, lossScale, skipped, evaluationDue);
  }

  /** The same with the loss scale that another compute type begins with. */
  TrainingState withLossScale(Optional<LossScale> other) {
    return new TrainingState(step, groups, seed, best, bestStep, other, skipped, evaluationDue);
  }
}
