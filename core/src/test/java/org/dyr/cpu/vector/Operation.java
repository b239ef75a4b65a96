package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** An op with its operands, each ringed with guard bytes, to be run by Reference and by a kernel of this package. */
final class Operation implements AutoCloseable {

  /** What a kernel class offers. */
  @FunctionalInterface
  interface Maker {
    Kernel make(Operands operands, Workers workers);
  }

  private static final byte GUARD = 0x5a;
  private static final long RING = 64;

  final Op op;
  final Spec[] in;
  final Spec[] out;
  private final Workers workers;
  private final CpuBackend memory;
  private final Slab slab;
  private final Operands operands;

  Operation(int threads, Op op, long scratchBytes, Spec... in) {
    this.op = op;
    this.in = in;
    out = op.outputs(in);
    workers = new Workers(threads);
    memory = new CpuBackend(workers, List.of(), PeakLoop.SCALAR);
    long total = RING + place(scratchBytes);
    for (Spec s : in) total += place(s.bytes());
    for (Spec s : out) total += place(s.bytes());
    slab = memory.allocate(total, "test");
    slab.host().fill(GUARD);
    long at = RING;
    Span[] inputs = new Span[in.length], outputs = new Span[out.length];
    for (int i = 0; i < in.length; i++) {
      inputs[i] = slab.span(at, in[i].bytes());
      at += place(in[i].bytes());
    }
    for (int i = 0; i < out.length; i++) {
      int alias = op.aliasOf(i);
      outputs[i] = alias >= 0 ? inputs[alias] : slab.span(at, out[i].bytes());
      at += place(out[i].bytes());
    }
    operands = new Operands(in, out, inputs, outputs, slab.span(at, scratchBytes));
  }

  /** Bytes that an operand takes with its ring. */
  private static long place(long bytes) {
    return (bytes + 63) / 64 * 64 + RING;
  }

  Operation set(int input, float... x) {
    MemorySegment.copy(MemorySegment.ofArray(x), 0, operands.inputs()[input].segment(), 0, 4L * x.length);
    return this;
  }

  Operation set(int input, int... x) {
    MemorySegment.copy(MemorySegment.ofArray(x), 0, operands.inputs()[input].segment(), 0, 4L * x.length);
    return this;
  }

  float[] output(int i) {
    return operands.outputs()[i].segment().toArray(ValueLayout.JAVA_FLOAT);
  }

  /** Runs the plain loops. */
  Operation reference() {
    new Reference().prepare(op, operands).launch();
    return this;
  }

  Kernel kernel(Maker maker) {
    return maker.make(operands, workers);
  }

  /** Runs a kernel, and checks that it wrote nowhere else. */
  Operation run(Maker maker) {
    kernel(maker).launch();
    checkGuards();
    return this;
  }

  private void checkGuards() {
    check(0, RING);
    for (Span s : operands.inputs()) check(s.offset() + s.bytes(), s.offset() + place(s.bytes()));
    for (Span s : operands.outputs()) check(s.offset() + s.bytes(), s.offset() + place(s.bytes()));
    check(operands.scratch().offset() + operands.scratch().bytes(), slab.bytes());
  }

  private void check(long from, long to) {
    byte[] ring = slab.host().asSlice(from, to - from).toArray(ValueLayout.JAVA_BYTE);
    for (byte b : ring) assertEquals(GUARD, b, op.name() + " wrote beside its operands");
  }

  /** Ids of all threads that run the kernel. */
  long[] threads() {
    long[] others = workers.threadIds();
    long[] all = java.util.Arrays.copyOf(others, others.length + 1);
    all[others.length] = Thread.currentThread().threadId();
    return all;
  }

  @Override public void close() {
    slab.close();
    memory.close();
  }

  static Spec floats(int... dims) {
    return Spec.of(DType.F32, dims);
  }

  static Spec ints(int n) {
    return Spec.of(DType.I32, n);
  }

  /** Uniform within twice the scale. */
  static float[] random(long seed, int n, float scale) {
    java.util.Random r = new java.util.Random(seed);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) x[i] = scale * 4 * (r.nextFloat() - 0.5f);
    return x;
  }
}
