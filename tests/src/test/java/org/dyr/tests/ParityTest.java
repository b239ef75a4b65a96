package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.CpuKernelSetProvider;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/**
 * Every kernel set of the CPU in float, on one thread and on two, against the plain loops in double on the same
 * numbers; a set for several instruction sets with each that this machine executes. A set that is not available is
 * skipped with its reason. What a set leaves out must be what {@link Unsupported} says.
 */
class ParityTest {

  @TestFactory Stream<DynamicNode> kernelSetsAgreeWithThePlainLoops() {
    List<CpuKernelSetProvider> found = new ArrayList<>();
    ServiceLoader.load(CpuKernelSetProvider.class).forEach(found::add);
    return found.stream().map(p -> dynamicContainer(p.name(), tests(p)));
  }

  private static Stream<DynamicNode> tests(CpuKernelSetProvider provider) {
    Optional<String> why = provider.unavailableOnceTried();
    if (why.isPresent()) {
      return Stream.of(dynamicTest("unavailable: " + why.get(), () ->
          assumeTrue(false, provider.name() + ": " + why.get())));
    }
    if (provider.cpuFeatures().isEmpty()) return tests(provider, DeviceOptions.AUTO);
    return provider.cpuFeatures().stream().map(features -> dynamicContainer(features, tests(provider, features)));
  }

  private static Stream<DynamicNode> tests(CpuKernelSetProvider provider, String features) {
    return OpCases.all().stream().map(c -> dynamicTest(c.name(), () -> check(provider, features, c)));
  }

  private static void check(CpuKernelSetProvider provider, String features, OpCase c) {
    Spec[] specs = c.specs(DType.F32);
    double[][] in = c.draw();
    double[][] single = null;
    // Work is shared out alike for every instruction set: one of them stands for all.
    int most = features.equals(DeviceOptions.AUTO) || features.equals(provider.cpuFeatures().getFirst()) ? 2 : 1;
    for (int threads = 1; threads <= most; threads++) {
      Workers workers = new Workers(threads);
      KernelSet set = provider.create(workers, new DeviceOptions(threads, provider.name(), features));
      try (CpuBackend backend = new CpuBackend(workers, List.of(set), PeakLoop.SCALAR)) {
        assertEquals(!Unsupported.by(set.name(), features, DType.F32, c), set.supports(c.op(), specs),
            () -> set.name() + " has a kernel, held against Unsupported, for " + c);
        if (!set.supports(c.op(), specs)) return;
        double[][] out = launch(backend, set, c, specs, in);
        if (single == null) single = out;
        for (int o = 0; o < out.length; o++) {
          assertArrayEquals(single[o], out[o], 0, "output %d on two threads and on one: %s%s".formatted(o, c,
              c.seed()));
        }
      }
    }
    compare(c, specs, Oracle.run(c, in), single);
  }

  /** Runs the kernel in guarded memory, twice where it can: what it leaves in its scratch must not matter. */
  static double[][] launch(Backend backend, KernelSet set, OpCase c, Spec[] specs, double[][] in) {
    Op op = c.op();
    Spec[] outs = op.outputs(specs);
    long scratch = set.scratchBytes(op, specs);
    try (Memory memory = Memory.of(backend, scratch, specs, outs)) {
      Span[] inputs = new Span[specs.length];
      for (int i = 0; i < inputs.length; i++) inputs[i] = memory.put(specs[i], in[i]);
      Span[] outputs = new Span[outs.length];
      for (int o = 0; o < outputs.length; o++) {
        outputs[o] = op.aliasOf(o) >= 0 ? inputs[op.aliasOf(o)] : memory.take(outs[o].bytes());
      }
      Operands operands = new Operands(specs, outs, inputs, outputs, scratch == 0 ? Span.NONE : memory.take(scratch));
      Kernel kernel = set.prepare(op, operands);
      kernel.launch();
      backend.synchronize();
      memory.checkGuards(c.name());
      double[][] first = read(memory, outputs, outs);
      for (int i = 0; i < inputs.length; i++) {
        Span input = inputs[i];
        if (Arrays.asList(outputs).contains(input)) memory.set(input, specs[i].type(), in[i]);
        else assertArrayEquals(in[i], memory.get(input, specs[i]), 0, "input %d was written to: %s".formatted(i, c));
      }
      kernel.launch();
      backend.synchronize();
      memory.checkGuards(c.name());
      double[][] second = read(memory, outputs, outs);
      for (int o = 0; o < outs.length; o++) {
        assertArrayEquals(first[o], second[o], 0, "output %d of a second launch: %s".formatted(o, c));
      }
      return first;
    }
  }

  private static double[][] read(Memory memory, Span[] spans, Spec[] specs) {
    double[][] x = new double[spans.length][];
    for (int i = 0; i < x.length; i++) x[i] = memory.get(spans[i], specs[i]);
    return x;
  }

  static void compare(OpCase c, Spec[] specs, double[][] expected, double[][] actual) {
    for (int o = 0; o < expected.length; o++) {
      if (expected[o].length == 0) continue;
      double worst = 0;
      int at = 0;
      for (int i = 0; i < expected[o].length; i++) {
        double share = excess(c.op(), specs, expected[o][i], actual[o][i]);
        if (share > worst) {
          worst = share;
          at = i;
        }
      }
      String message = "output %d element %d of %s: %s instead of %s, %.3g times the tolerance%s".formatted(o, at, c,
          actual[o][at], expected[o][at], worst, c.seed());
      assertTrue(worst <= 1, message);
    }
  }

  /** The error in units of the tolerance; what is not finite must be the same. */
  private static double excess(Op op, Spec[] specs, double expected, double actual) {
    if (!Double.isFinite(expected) || !Double.isFinite(actual)) {
      return Double.compare(expected, actual) == 0 ? 0 : Double.POSITIVE_INFINITY;
    }
    return Math.abs(actual - expected) / Tolerance.f32(op, specs, expected);
  }
}
