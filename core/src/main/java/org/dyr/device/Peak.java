package org.dyr.device;

import org.dyr.tensor.DType;

/**
 * What a device can reach, as measured on it: the bounds that kernels are held against. Multiply-adds are those from
 * registers, in FLOP/s; each counts two.
 *
 * @param fp32 of fp32
 * @param bf16 of bf16 into sums in fp32; where there is no instruction for it, bf16 is widened and this is as fp32
 * @param bytes copying through memory, read and written, in bytes/s
 */
public record Peak(double fp32, double bf16, double bytes) {

  /** The multiply-adds of an op whose first operand has this type. */
  public double flops(DType type) {
    return type == DType.BF16 ? bf16 : fp32;
  }

  /** The least time of an op, in nanoseconds: for its FLOPs or for its bytes, whichever is longer. */
  public double nanos(DType type, double flops, double moved) {
    return 1e9 * Math.max(flops / flops(type), moved / bytes);
  }
}
