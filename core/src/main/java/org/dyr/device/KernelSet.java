package org.dyr.device;

import java.util.Optional;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.tensor.Spec;

/**
 * Kernels of one origin for one device, such as OpenBLAS for the CPU. A device stacks several and asks them in order.
 */
public interface KernelSet {

  /** The name that {@code --kernels} pins. */
  String name();

  /** Whether this set has a kernel for the op at these shapes and types. */
  boolean supports(Op op, Spec[] in);

  /** Bytes of scratch that the kernel wants; the region is shared by all kernels of a program and keeps nothing. */
  default long scratchBytes(Op op, Spec[] in) {
    return 0;
  }

  /** The layout in which products of this set read a weight (N,K) that never changes, where they have one. */
  default Optional<Panels> panels(Spec weight) {
    return Optional.empty();
  }

  /** Chooses the algorithm and cuts the views. Called only where {@link #supports} said yes. */
  Kernel prepare(Op op, Operands operands);
}
