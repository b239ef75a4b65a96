package org.dyr.op;

/**
 * A fused op whose outputs behind the first are kept for its backward. Where no backward reads them it is replaced by
 * the same op without them.
 */
public interface KeepingOp extends FusedOp {

  /** Whether what a backward reads is among the outputs. */
  boolean kept();

  /** The same op with its first output alone. */
  KeepingOp unkept();
}
