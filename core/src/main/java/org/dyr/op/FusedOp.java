package org.dyr.op;

/**
 * An op that is defined by smaller ones. A device without a kernel for it runs the decomposition, and tests compare
 * against it. Open: a fused op may come from any module, with its kernels and its row in the fusion table.
 */
public non-sealed interface FusedOp extends Op {

  /** Records the same computation in smaller ops and gives values for all of this op's outputs, in order. */
  Value[] decompose(Recorder r, Value... in);
}
