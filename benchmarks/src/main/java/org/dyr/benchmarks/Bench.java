package org.dyr.benchmarks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** One op prepared on the CPU over random operands. */
final class Bench implements AutoCloseable {
  private static final int SEED = 7;

  private final Backend backend;
  private final List<Slab> slabs = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(SEED);

  Bench(String kernels, int threads) {
    backend = Devices.open("cpu", new DeviceOptions(threads, kernels));
  }

  Backend backend() {
    return backend;
  }

  /** Normal numbers; integers are zero. */
  Span operand(Spec spec) {
    Span span = zeros(spec);
    if (!spec.type().isFloating()) return span;
    MemorySegment s = span.segment();
    for (long i = 0; i < spec.shape().size(); i++) spec.type().set(s, i, random.nextGaussian());
    return span;
  }

  Span integers(int... values) {
    Span span = zeros(Spec.of(DType.I32, values.length));
    MemorySegment.copy(values, 0, span.segment(), ValueLayout.JAVA_INT, 0, values.length);
    return span;
  }

  Span zeros(Spec spec) {
    Slab slab = backend.allocate(Math.max(1, spec.bytes()), "benchmark operand");
    slabs.add(slab);
    return slab.span(0, spec.bytes());
  }

  /**
   * Prepares the op over these operands; outputs get memory of their own, or that of the input they are written over.
   */
  Kernel prepare(Op op, Spec[] in, Span... inputs) {
    Spec[] out = op.outputs(in);
    Span[] outputs = new Span[out.length];
    for (int i = 0; i < out.length; i++) outputs[i] = op.aliasOf(i) < 0 ? zeros(out[i]) : inputs[op.aliasOf(i)];
    return prepare(op, in, inputs, outputs);
  }

  /** Prepares the op over these operands and outputs. */
  Kernel prepare(Op op, Spec[] in, Span[] inputs, Span[] outputs) {
    KernelSet set = backend.choose(op, in).orElseThrow();
    Slab scratch = backend.allocate(Math.max(1, set.scratchBytes(op, in)), "scratch");
    slabs.add(scratch);
    return set.prepare(op, new Operands(in, op.outputs(in), inputs, outputs, scratch.span(0, scratch.bytes())));
  }

  @Override public void close() {
    slabs.forEach(Slab::close);
    backend.close();
  }
}
