package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * An op's operands as native calls want them, and how its work is shared out: each kernel is a native call over a range
 * of elements or rows, and each worker makes one. What is added up goes by chunks of a fixed size, so that no result
 * depends on the number of workers.
 */
final class Binding {
  /** Elements between the ranges of two workers: whole cache lines. */
  private static final int LINE = 64;

  /** As sums.h has them. */
  private static final int CHUNK_ROWS = 32;
  private static final int CHUNK = 8192;

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

  /** A native call over the range from..to-1, by one of the workers. */
  @FunctionalInterface
  interface Range {
    void run(long from, long to, int worker);
  }

  /** As {@link #elementsTask}. */
  Kernel elements(long n, Range call) {
    Workers.Task task = elementsTask(n, call);
    return () -> workers.run(task);
  }

  /** Each worker takes one stretch of n elements, whole cache lines of them. */
  Workers.Task elementsTask(long n, Range call) {
    return share(Math.ceilDiv(n, (long) LINE),
        (from, to, worker) -> call.run(from * LINE, Math.min(n, to * LINE), worker));
  }

  /** Each worker takes neighbouring rows. */
  Kernel rows(Range call) {
    Workers.Task task = share(rows(), call);
    return () -> workers.run(task);
  }

  /** Each worker takes an even share of the items. */
  Workers.Task share(long items, Range call) {
    int count = workers.count();
    return worker -> {
      long from = Workers.begin(items, worker, count), to = Workers.begin(items, worker + 1, count);
      if (from < to) call.run(from, to, worker);
    };
  }

  /**
   * Sums over rows: the call fills partial sums, (chunks, outputs, width), for chunks of {@value #CHUNK_ROWS} rows,
   * then the chunks are added in order, the columns shared out.
   *
   * @param outputs the addresses of the sums, (C) each
   */
  Kernel rowChunks(long partial, Range call, long... outputs) {
    int chunks = Math.ceilDiv(rows(), CHUNK_ROWS), columns = columns();
    Workers.Task gather = share(chunks, call), fold = elementsTask(columns, (from, to, worker) -> {
      for (int i = 0; i < outputs.length; i++) {
        NativeCalls.foldChunks(isa, partial, outputs[i], from, to, columns, chunks, outputs.length, i);
      }
    });
    return () -> {
      workers.run(gather);
      workers.run(fold);
    };
  }

  /** Bytes of the partial sums of {@link #rowChunks}. */
  static long rowChunkBytes(Spec x, int sums) {
    return 4L * Math.ceilDiv(x.shape().rows(), CHUNK_ROWS) * sums * width(x);
  }

  /** The columns of x rounded up to whole cache lines. */
  static long width(Spec x) {
    return Math.ceilDiv(x.shape().last(), 16) * 16L;
  }

  /**
   * A sum over all elements: the call fills doubles, one for each chunk of {@value #CHUNK} elements, then fold runs.
   */
  Kernel chunks(Range call, Runnable fold) {
    Workers.Task gather = share(chunkCount(operands.in()[0]), call);
    return () -> {
      workers.run(gather);
      fold.run();
    };
  }

  static long chunkCount(Spec x) {
    return Math.ceilDiv(x.shape().size(), (long) CHUNK);
  }
}
