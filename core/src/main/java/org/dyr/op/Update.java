package org.dyr.op;

import java.util.Arrays;
import java.util.List;
import org.dyr.tensor.Spec;

/**
 * One step of an optimizer over the slabs of all parameters, in place. Inputs: parameters p (N), then the optimizer's
 * states (N each), gradient g (N), factor (1) from {@link ClipFactor}, hyper (3). Outputs: p and the states, written
 * over. A factor of NaN leaves everything as it is.
 *
 * <p>hyper is what changes from step to step: the learning rate, and the bias corrections 1/(1 - beta1^t), 1/(1 -
 * beta2^t) of step t counted from 1 (only Lamb reads them).
 */
public sealed interface Update extends Op permits Update.Lamb, Update.AdamWeightDecay, Update.Momentum {

  int HYPER = 3;

  /** A parameter's place in the slabs, in elements, and whether weight decay applies to it. */
  record Segment(String name, long offset, int length, boolean decay) {}

  List<Segment> segments();

  /** How many states the optimizer keeps for each parameter. */
  int states();

  @Override default Spec[] outputs(Spec... in) {
    int n = states();
    Op.arity(this, in, n + 4);
    for (int i = 1; i < n + 2; i++) {
      Op.check(in[i].equals(in[0]), "%s: states and gradient must be %s, not %s", name(), in[0], in[i]);
    }
    Op.checkSpec(this, "factor", in[n + 2], in[0].type(), 1);
    Op.checkSpec(this, "hyper", in[n + 3], in[0].type(), HYPER);
    for (Segment s : segments()) {
      Op.check(s.offset >= 0 && s.offset + s.length <= in[0].shape().size(), "%s: %s lies outside %s", name(), s, in[0]);
    }
    Spec[] out = new Spec[n + 1];
    Arrays.fill(out, in[0]);
    return out;
  }

  @Override default int aliasOf(int output) {
    return output;
  }

  /**
   * Lamb as MindSpore has it (You et al. 2019). Per parameter, g' = factor g:
   * m = b1 m + (1-b1) g'; v = b2 v + (1-b2) g'^2; m' = m/(1-b1^t); v' = v/(1-b2^t); u = m' / sqrt(v'+eps) + wd p for
   * the norm, ratio = |p| / |u| clipped to [0, 10] where |p| > 0 and |g'| > 0, else 1; p -= lr ratio (m' /
   * (sqrt(v')+eps) + wd p). Parameters outside the decay filter leave wd p out of both (MindSpore keeps it in the
   * norm). States m, v.
   */
  record Lamb(List<Segment> segments, double beta1, double beta2, double eps, double weightDecay) implements Update {
    public static final double MAX_RATIO = 10;

    @Override public int states() {
      return 2;
    }

    @Override public String name() {
      return "Lamb";
    }

    /** The trust ratio from the squared norms of p, of g' and of u. */
    public static double ratio(double p2, double g2, double u2) {
      return p2 > 0 && g2 > 0 ? Math.min(Math.sqrt(p2) / Math.sqrt(u2), MAX_RATIO) : 1;
    }
  }

  /**
   * Adam with decoupled weight decay, without bias correction, as MindSpore's AdamWeightDecay: m = b1 m + (1-b1) g';
   * v = b2 v + (1-b2) g'^2; p -= lr (m / (sqrt(v)+eps) + wd p), wd only inside the decay filter. States m, v.
   */
  record AdamWeightDecay(List<Segment> segments, double beta1, double beta2, double eps, double weightDecay)
      implements Update {

    @Override public int states() {
      return 2;
    }

    @Override public String name() {
      return "AdamWeightDecay";
    }
  }

  /** v = mu v + g'; p -= lr v. No weight decay. State v. */
  record Momentum(List<Segment> segments, double momentum) implements Update {

    @Override public int states() {
      return 1;
    }

    @Override public String name() {
      return "Momentum";
    }
  }
}
