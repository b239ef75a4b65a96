package org.dyr.collective;

import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.AllGather;
import org.dyr.op.Op;
import org.dyr.tensor.Spec;

/** One rank's kernels of the ops that reach beyond it. */
public final class CollectiveKernels implements KernelSet {
  private final Collective ranks;

  /** Kernels that gather from these ranks. */
  public CollectiveKernels(Collective ranks) {
    this.ranks = ranks;
  }

  @Override public String name() {
    return "collective";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    return switch (op) {
      case AllGather g -> g.ranks() == ranks.size();
      case AllGather.Grad g -> g.ranks() == ranks.size();
      default -> false;
    };
  }

  @Override public Kernel prepare(Op op, Operands o) {
    Span in = o.inputs()[0], out = o.outputs()[0];
    return switch (op) {
      case AllGather _ -> () -> ranks.allGather(in, out);
      case AllGather.Grad _ -> () -> ranks.own(in, out);
      default -> throw new UnsupportedOperationException("collective has no kernel for " + op.name());
    };
  }
}
