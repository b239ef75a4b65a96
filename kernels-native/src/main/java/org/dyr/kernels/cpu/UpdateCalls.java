package org.dyr.kernels.cpu;

import org.dyr.cpu.LambKernel;
import org.dyr.cpu.UpdateKernel;
import org.dyr.cpu.Workers;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/** The kernels of {@code update.h}: the loops over elements of core's update kernels. */
final class UpdateCalls {
  private UpdateCalls() {}

  /** Two passes: see {@link LambKernel}. */
  static final class Lamb extends LambKernel {
    private final int isa;

    Lamb(int isa, Update.Lamb op, Operands o, Workers workers) {
      super(op, o, workers);
      this.isa = isa;
    }

    @Override protected void moments(long from, int n, float decay, long norms, int worker) {
      NativeCalls.lambMoments(isa, p, m, v, g, norms, from / Float.BYTES, n, scale, op.beta1(), op.beta2(), (float) op.eps(),
          decay, correct1, correct2);
    }

    @Override protected void step(long from, int n, float decay, float step) {
      NativeCalls.lambStep(isa, p, m, v, from / Float.BYTES, n, step, (float) op.eps(), decay, correct1, correct2);
    }
  }

  /** One pass, chunk by chunk. */
  private abstract static class OnePass extends UpdateKernel {
    final int isa;
    private final int[] shares;
    private final Workers.Task task = this::share;
    float rate;

    OnePass(int isa, Update op, Operands o, Workers workers) {
      super(op.segments(), o, workers);
      this.isa = isa;
      shares = chunks.shares(0, chunks.count, workers.count());
    }

    @Override protected final void step() {
      rate = hyper(0);
      workers.run(task);
    }

    private void share(int worker) {
      for (int c = shares[worker]; c < shares[worker + 1]; c++) chunk(chunks.begin[c], chunks.length[c], chunks.segment[c]);
    }

    /** n elements of a parameter. */
    abstract void chunk(long from, int n, int segment);
  }

  /** Reads p, m, v, g, writes p, m, v. */
  static final class Adam extends OnePass {
    private final Update.AdamWeightDecay op;
    private final long m;
    private final long v;
    private final float[] decays; // by parameter

    Adam(int isa, Update.AdamWeightDecay op, Operands o, Workers workers) {
      super(isa, op, o, workers);
      this.op = op;
      m = state(1);
      v = state(2);
      decays = decays(op.segments(), op.weightDecay());
    }

    @Override void chunk(long from, int n, int segment) {
      NativeCalls.adamWeightDecay(isa, p, m, v, g, from, n, scale, op.beta1(), op.beta2(), (float) op.eps(), decays[segment],
          rate);
    }
  }

  /** Reads p, v, g, writes p, v. */
  static final class Momentum extends OnePass {
    private final float mu;
    private final long v;

    Momentum(int isa, Update.Momentum op, Operands o, Workers workers) {
      super(isa, op, o, workers);
      mu = (float) op.momentum();
      v = state(1);
    }

    @Override void chunk(long from, int n, int segment) {
      NativeCalls.momentum(isa, p, v, g, from, n, scale, mu, rate);
    }
  }
}
