package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.FusedOp;
import org.dyr.op.Op;
import org.dyr.op.Recorder;
import org.dyr.op.Value;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** An op at one size with inputs from a fixed seed, run on a kernel set. Outputs come back as arrays. */
record VectorCase(Op op, Spec... in) {
  private static final long SEED = 20240607;
  private static final long GUARD = 64;
  private static final float RING = 12345.5f;

  @Override public String toString() {
    return op.name() + op.hashCode() + Arrays.toString(in);
  }

  /** Runs the vector kernel once. */
  float[][] vector(int threads) {
    return vector(threads, inputs());
  }

  float[][] vector(int threads, float[]... inputs) {
    Workers workers = new Workers(threads);
    VectorKernels set = new VectorKernels(workers);
    try (Backend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
      return run(backend, set, op, in, inputs);
    }
  }

  /** Runs the plain loops, a fused op by its decomposition. */
  float[][] reference() {
    return reference(inputs());
  }

  float[][] reference(float[]... inputs) {
    Workers workers = new Workers(1);
    Reference set = new Reference();
    try (Backend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
      if (!(op instanceof FusedOp fused)) return run(backend, set, op, in, inputs);
      Map<Value, float[]> known = new HashMap<>();
      Value[] values = new Value[in.length];
      int[] next = {0};
      for (int i = 0; i < in.length; i++) known.put(values[i] = new Value(next[0]++, in[i]), inputs[i]);
      Recorder recorder = (o, given) -> {
        Spec[] specs = Arrays.stream(given).map(Value::spec).toArray(Spec[]::new), out = o.outputs(specs);
        float[][] results = run(backend, set, o, specs, Arrays.stream(given).map(known::get).toArray(float[][]::new));
        Value[] made = new Value[out.length];
        for (int i = 0; i < out.length; i++) known.put(made[i] = new Value(next[0]++, out[i]), results[i]);
        return made;
      };
      return Arrays.stream(fused.decompose(recorder, values)).map(known::get).toArray(float[][]::new);
    }
  }

  /** Bytes that the thread allocates in a launch, once the kernel is compiled. */
  long allocatedPerLaunch() {
    Workers workers = new Workers(1);
    VectorKernels set = new VectorKernels(workers);
    try (Backend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
      long[] least = {Long.MAX_VALUE};
      launch(backend, set, op, in, inputs(), kernel -> {
        com.sun.management.ThreadMXBean threads =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (least[0] != 0 && System.nanoTime() < deadline) {
          long before = threads.getCurrentThreadAllocatedBytes();
          for (int i = 0; i < 10; i++) kernel.launch();
          least[0] = Math.min(least[0], (threads.getCurrentThreadAllocatedBytes() - before) / 10);
        }
      });
      return least[0];
    }
  }

  /** Floats of size 1; where the op draws, a seed with its highest bits set and places that grow. */
  private float[][] inputs() {
    Random random = new Random(SEED);
    float[][] all = new float[in.length][];
    for (int i = 0; i < in.length; i++) {
      all[i] = new float[(int) in[i].shape().size()];
      boolean draws = in[i].type() == DType.I32;
      for (int e = 0; e < all[i].length; e++) {
        float place = Float.intBitsToFloat(all[i].length == 4 ? -7 - 3 * e : 5 * e + i);
        all[i][e] = draws ? place : (float) random.nextGaussian();
      }
    }
    return all;
  }

  private static float[][] run(Backend backend, KernelSet set, Op op, Spec[] in, float[][] inputs) {
    return launch(backend, set, op, in, inputs, Kernel::launch);
  }

  private interface Use {
    void with(Kernel kernel);
  }

  /** Integers travel as the bits of floats. Operands and scratch stand between rings of guards, which must stay. */
  private static float[][] launch(Backend backend, KernelSet set, Op op, Spec[] in, float[][] inputs, Use use) {
    Spec[] out = op.outputs(in);
    List<Slab> slabs = new ArrayList<>();
    try {
      Span[] from = new Span[in.length], to = new Span[out.length];
      for (int i = 0; i < in.length; i++) {
        from[i] = ringed(backend, slabs, in[i].bytes());
        MemorySegment.copy(inputs[i], 0, from[i].segment(), ValueLayout.JAVA_FLOAT, 0, inputs[i].length);
      }
      for (int i = 0; i < out.length; i++) {
        to[i] = op.aliasOf(i) >= 0 ? from[op.aliasOf(i)] : ringed(backend, slabs, out[i].bytes());
      }
      Span scratch = ringed(backend, slabs, set.scratchBytes(op, in));
      use.with(set.prepare(op, new Operands(in, out, from, to, scratch)));
      for (Slab slab : slabs) {
        long end = slab.bytes() - GUARD;
        for (long i = 0; i < GUARD; i += 4) {
          float before = slab.host().get(ValueLayout.JAVA_FLOAT, i);
          float after = slab.host().get(ValueLayout.JAVA_FLOAT, end + i);
          if (before != RING || after != RING) {
            throw new AssertionError(op.name() + " wrote outside an operand");
          }
        }
      }
      return Arrays.stream(to).map(s -> s.segment().toArray(ValueLayout.JAVA_FLOAT)).toArray(float[][]::new);
    } finally {
      slabs.forEach(Slab::close);
    }
  }

  private static Span ringed(Backend backend, List<Slab> slabs, long bytes) {
    Slab slab = backend.allocate(bytes + 2 * GUARD, "test operand");
    slabs.add(slab);
    for (long i = 0; i < GUARD; i += 4) {
      slab.host().set(ValueLayout.JAVA_FLOAT, i, RING);
      slab.host().set(ValueLayout.JAVA_FLOAT, GUARD + bytes + i, RING);
    }
    return slab.span(GUARD, bytes);
  }
}
