package org.dyr.device;

/**
 * What a device can reach, as measured on it: the bounds that kernels are held against.
 *
 * @param flops fp32 multiply-adds from registers, in FLOP/s (each counts two)
 * @param bytes copying through memory, read and written, in bytes/s
 */
public record Peak(double flops, double bytes) {}
