package org.dyr.optim;

import java.util.List;
import org.dyr.op.Update;

/** The choice of an optimizer with its hyper-parameters; the defaults are those of MindSpore's DYR. */
public sealed interface Optimizer {

  /** The op that updates these parameters. */
  Update update(List<Update.Segment> segments);

  /** Names of the states in the order in which the op has them, for checkpoints. */
  List<String> states();

  /** {@link Update.Lamb}; decay inside the decay filter only. */
  record Lamb(double beta1, double beta2, double eps, double weightDecay) implements Optimizer {
    public Lamb() {
      this(0.9, 0.999, 1e-6, 0.01);
    }

    @Override public Update update(List<Update.Segment> segments) {
      return new Update.Lamb(segments, beta1, beta2, eps, weightDecay);
    }

    @Override public List<String> states() {
      return List.of("m", "v");
    }
  }

  /** {@link Update.AdamWeightDecay}. */
  record AdamWeightDecay(double beta1, double beta2, double eps, double weightDecay) implements Optimizer {
    public AdamWeightDecay() {
      this(0.9, 0.999, 1e-6, 0.01);
    }

    @Override public Update update(List<Update.Segment> segments) {
      return new Update.AdamWeightDecay(segments, beta1, beta2, eps, weightDecay);
    }

    @Override public List<String> states() {
      return List.of("m", "v");
    }
  }

  /** {@link Update.Momentum}. */
  record Momentum(double momentum) implements Optimizer {
    public Momentum() {
      this(0.9);
    }

    @Override public Update update(List<Update.Segment> segments) {
      return new Update.Momentum(segments, momentum);
    }

    @Override public List<String> states() {
      return List.of("velocity");
    }
  }
}
