package org.dyr.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Slab;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.op.Op;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Five steps of each optimizer against plain loops over double arrays, in both types. */
class UpdaterTest {

  private static final List<Parameter> PARAMETERS = List.of(
      new Parameter("weight", Shape.of(37), Parameter.Init.ZEROS, true),
      new Parameter("bias", Shape.of(5), Parameter.Init.ZEROS, false),
      new Parameter("zero", Shape.of(12), Parameter.Init.ZEROS, true));
  private static final double RATE = 0.01, SCALE = 1024, MAX_NORM = 1;

  static Stream<Arguments> optimizers() {
    return Stream.of(new Optimizer.Lamb(0.9, 0.999, 1e-6, 0.01),
        new Optimizer.AdamWeightDecay(0.9, 0.999, 1e-6, 0.01), new Optimizer.Momentum(0.9))
        .flatMap(o -> Stream.of(DType.F32, DType.F64).map(t -> Arguments.of(o, t)));
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void fiveStepsAreThoseOfAPlainLoop(Optimizer optimizer, DType type) {
    double tolerance = type == DType.F32 ? 2e-6 : 1e-12;
    Random random = new Random(1);
    try (Backend cpu = Devices.open("cpu", new DeviceOptions(2, "auto"));
        Weights weights = new Weights(cpu, type, PARAMETERS);
        Slab gradients = cpu.allocate(weights.bytes(), "gradients");
        Updater updater = new Updater(cpu, weights, gradients, optimizer, MAX_NORM)) {
      int n = (int) (weights.bytes() / type.bytes());
      double[] p = new double[n], a = new double[n], b = new double[n], g = new double[n];
      int zero = (int) weights.segments().getLast().offset();
      for (int i = 0; i < zero; i++) p[i] = rounded(type, random.nextGaussian());
      write(type, weights.slab(), p);
      for (int t = 0; t < 5; t++) {
        double norm2 = 0;
        for (int i = 0; i < n; i++) {
          g[i] = rounded(type, random.nextGaussian() * SCALE * (t == 2 ? 0.01 : 1));
          norm2 += g[i] * g[i] / SCALE / SCALE;
        }
        write(type, gradients, g);
        double norm = Math.sqrt(norm2), factor = Math.min(1, MAX_NORM / norm) / SCALE;
        assertTrue(updater.step(new UpdateTerms(RATE, SCALE, t), null));
        assertEquals(norm, updater.gradientNorm(), tolerance * norm);
        for (Update.Segment s : weights.segments()) plain(optimizer, s, p, a, b, g, factor, t);
      }
      assertArrayEquals(p, read(type, weights.slab()), tolerance);
      assertArrayEquals(a, read(type, updater.states().values().iterator().next()), tolerance);
    }
  }

  /** The formulas of the optimizers over one parameter; a and b are the states. */
  private static void plain(Optimizer o, Update.Segment s, double[] p, double[] a, double[] b, double[] g, double f,
      int t) {
    int from = (int) s.offset(), to = from + s.length();
    double[] u = new double[p.length];
    double p2 = 0, g2 = 0, n2 = 0, step = RATE;
    for (int i = from; i < to; i++) {
      double d = f * g[i];
      switch (o) {
        case Optimizer.Momentum m -> {
          a[i] = 0.9 * a[i] + d;
          u[i] = a[i];
        }
        case Optimizer.AdamWeightDecay w -> {
          a[i] = 0.9 * a[i] + 0.1 * d;
          b[i] = 0.999 * b[i] + 0.001 * d * d;
          u[i] = a[i] / (Math.sqrt(b[i]) + 1e-6) + (s.decay() ? 0.01 * p[i] : 0);
        }
        case Optimizer.Lamb l -> {
          a[i] = 0.9 * a[i] + 0.1 * d;
          b[i] = 0.999 * b[i] + 0.001 * d * d;
          double m = a[i] / (1 - Math.pow(0.9, t + 1)), v = b[i] / (1 - Math.pow(0.999, t + 1));
          double decay = s.decay() ? 0.01 * p[i] : 0, n = m / Math.sqrt(v + 1e-6) + decay;
          u[i] = m / (Math.sqrt(v) + 1e-6) + decay;
          p2 += p[i] * p[i];
          g2 += d * d;
          n2 += n * n;
        }
      }
    }
    if (p2 > 0 && g2 > 0) step = RATE * Math.min(10, Math.sqrt(p2 / n2));
    for (int i = from; i < to; i++) p[i] -= step * u[i];
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void aGradientThatIsNotFiniteIsSkipped(Optimizer optimizer, DType type) {
    try (Backend cpu = Devices.open("cpu", new DeviceOptions(1, "auto"));
        Weights weights = new Weights(cpu, type, PARAMETERS);
        Slab gradients = cpu.allocate(weights.bytes(), "gradients");
        Updater updater = new Updater(cpu, weights, gradients, optimizer, MAX_NORM)) {
      int n = (int) (weights.bytes() / type.bytes());
      double[] p = new double[n], g = new double[n];
      java.util.Arrays.fill(p, 1);
      g[7] = Double.POSITIVE_INFINITY;
      write(type, weights.slab(), p);
      write(type, gradients, g);
      assertFalse(updater.step(new UpdateTerms(RATE, SCALE, 0), null));
      assertEquals(Double.POSITIVE_INFINITY, updater.gradientNorm());
      assertArrayEquals(p, read(type, weights.slab()));
      updater.states().values().forEach(s -> assertArrayEquals(new double[n], read(type, s)));
      g[7] = 1;
      write(type, gradients, g);
      assertTrue(updater.step(new UpdateTerms(RATE, 1, 0), null));
      assertEquals(1, updater.gradientNorm());
      assertTrue(read(type, weights.slab())[7] < 1);
    }
  }

  /** With kernels that do nothing, what is left is the updater itself. */
  @Test void aStepAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Backend cpu = new CpuBackend(new Workers(1), List.of(new Idle()), PeakLoop.SCALAR);
        Weights weights = new Weights(cpu, DType.F32, PARAMETERS);
        Updater updater = new Updater(cpu, weights, weights.slab(), new Optimizer.Lamb(), MAX_NORM)) {
      UpdateTerms terms = new UpdateTerms(RATE, 1, 0);
      long bytes = Long.MAX_VALUE;
      for (int round = 0; round < 100 && bytes != 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 1000; i++) updater.step(terms, null);
        bytes = threads.getCurrentThreadAllocatedBytes() - before;
      }
      assertEquals(0, bytes);
    }
  }

  private record Idle() implements KernelSet {
    @Override public String name() {
      return "idle";
    }

    @Override public boolean supports(Op op, Spec[] in) {
      return true;
    }

    @Override public Kernel prepare(Op op, Operands operands) {
      return () -> {};
    }
  }

  private static double rounded(DType type, double x) {
    return type == DType.F32 ? (float) x : x;
  }

  private static void write(DType type, Slab to, double[] x) {
    for (int i = 0; i < x.length; i++) {
      if (type == DType.F32) to.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x[i]);
      else to.host().setAtIndex(ValueLayout.JAVA_DOUBLE, i, x[i]);
    }
  }

  private static double[] read(DType type, Slab from) {
    MemorySegment memory = from.host();
    double[] x = new double[(int) (memory.byteSize() / type.bytes())];
    for (int i = 0; i < x.length; i++) {
      if (type == DType.F32) x[i] = memory.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      else x[i] = memory.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
    }
    return x;
  }
}
