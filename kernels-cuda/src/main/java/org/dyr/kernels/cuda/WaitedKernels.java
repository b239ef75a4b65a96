package org.dyr.kernels.cuda;

import java.util.Optional;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.tensor.Spec;

/** The kernels of another set, each waited for: what a card finds wrong is then the fault of the kernel that throws. */
record WaitedKernels(KernelSet of, Runnable synchronize) implements KernelSet {

  @Override public String name() {
    return of.name();
  }

  @Override public boolean supports(Op op, Spec[] in) {
    return of.supports(op, in);
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    return of.scratchBytes(op, in);
  }

  @Override public Optional<Panels> panels(Spec weight) {
    return of.panels(weight);
  }

  @Override public Kernel prepare(Op op, Operands operands) {
    Kernel kernel = of.prepare(op, operands);
    return new Kernel() {
      @Override public void launch() {
        kernel.launch();
        synchronize.run();
      }

      @Override public void close() {
        kernel.close();
      }
    };
  }
}
