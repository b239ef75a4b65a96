package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.tensor.DType;

/**
 * An op's operands as native calls want them, and how its work is shared out: each kernel is a native call over a range
 * of elements or rows, and each worker makes one. What is added up goes by chunks of a fixed size, so that no result
 * depends on the number of workers.
 */
final class Binding {
  /** Elements of a cache line, where the ranges of two workers meet. */
  private static final int LINE = 64;

  final int isa;
  final int type;
  final Workers workers;
  final Operands operands;

  /** The type of the storage is that of the first input. */
  Binding(Instructions instructions, Workers workers, Operands operands) {
    isa = instructions.number();
    type = operands.in()[0].type() == DType.BF16 ? 1 : 0;
    this.workers = workers;
    this.operands = operands;
  }

  /** The address of an input. */
  long in(int i) {
    return operands.inputs()[i].address();
  }

  /** The address of an output. */
  long out(int i) {
    return operands.outputs()[i].address();
  }

  long scratch() {
    return operands.scratch().address();
  }

  /** Elements of the first input. */
  long size() {
    return operands.in()[0].shape().size();
  }

  /** Rows of the first input. */
  int rows() {
    return operands.in()[0].shape().rows();
  }

  /** The last axis of the first input. */
  int columns() {
    return operands.in()[0].shape().last();
  }

  /** A native call over the range from..to-1. */
  @FunctionalInterface
  interface Range {
    void run(long from, long to);
  }

  /** Each worker takes one stretch of n elements, whole cache lines of them. */
  Kernel elements(long n, Range call) {
    long lines = Math.ceilDiv(n, (long) LINE);
    return split(lines, (from, to) -> call.run(from * LINE, Math.min(n, to * LINE)));
  }

  /** Each worker takes neighbouring rows. */
  Kernel rows(Range call) {
    return split(rows(), call);
  }

  /** Each worker takes one of even shares of the items. */
  Kernel split(long items, Range call) {
    int count = workers.count();
    Workers.Task task = worker -> {
      long from = Workers.begin(items, worker, count), to = Workers.begin(items, worker + 1, count);
      if (from < to) call.run(from, to);
    };
    return () -> workers.run(task);
  }
}
