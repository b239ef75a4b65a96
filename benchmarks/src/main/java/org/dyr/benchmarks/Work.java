package org.dyr.benchmarks;

/**
 * What one call does.
 *
 * @param flops floating-point operations where they bound it, else 0
 * @param bytes bytes read and written, each operand once, where memory bounds it
 * @param items what a time per item is given for, else 0
 */
record Work(double flops, double bytes, long items) {

  static Work flops(double flops) {
    return new Work(flops, 0, 0);
  }

  static Work bytes(double bytes) {
    return new Work(0, bytes, 0);
  }
}
