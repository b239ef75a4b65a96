package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.BiasActivation;
import org.dyr.op.Broadcast;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.LayerNorm;
import org.dyr.op.Op;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The row kernels against the plain loops in double, for any number of workers, at sizes around those of a vector. */
class RowKernelsTest {
  private static final int[][] SIZES = {{0, 33}, {1, 1}, {3, 31}, {7, 33}, {65, 64}, {130, 768}};

  private static Spec f(int... dims) {
    return Spec.of(DType.F32, dims);
  }

  static Stream<VectorCase> cases() {
    List<VectorCase> all = new ArrayList<>();
    for (int[] s : SIZES) {
      Spec x = f(s), c = f(s[1]), one = f(1), row = f(s[0]);
      Spec random = Spec.of(DType.I32, 4), place = Spec.of(DType.I32, s[0]);
      add(all, new Add(false), x, x);
      add(all, new Add(true), x, x);
      add(all, new AddBias(), x, c);
      add(all, new Scale(), x, one);
      add(all, new Broadcast(Shape.of(s)), one);
      add(all, new Sum(), x);
      add(all, new SumRows(), x);
      for (Activation.Kind kind : Activation.Kind.values()) {
        add(all, new Activation(kind), x);
        add(all, new Activation.Grad(kind), x, x);
        add(all, new BiasActivation(kind), x, c);
        add(all, new BiasActivation.Grad(kind), x, x, c);
      }
      add(all, new LayerNorm(1e-7), x, c, c);
      add(all, new LayerNorm.Grad(), x, x, c, row, row);
      for (double p : new double[] {0.1, 0.5}) {
        add(all, new Dropout(p, 3), x, random, place, place);
        add(all, new DropoutAddLayerNorm(p, 3, 1e-7, false), x, x, c, c, random, place, place);
        add(all, new DropoutAddLayerNorm.Grad(p, 3, false), x, x, c, row, row, random, place, place);
      }
      add(all, new DropoutAddLayerNorm(0, 3, 1e-7, false), x, x, c, c);
      add(all, new DropoutAddLayerNorm.Grad(0, 3, false), x, x, c, row, row);
    }
    return all.stream();
  }

  private static void add(List<VectorCase> all, Op op, Spec... in) {
    all.add(new VectorCase(op, in));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void agreesWithTheReferenceForAnyNumberOfWorkers(VectorCase c) {
    float[][] want = c.reference(), got = c.vector(1);
    // A sum of K terms of size 1: 1e-6 sqrt(K) and 1e-5 of the value.
    double floor = 1e-6 * Math.max(2, Math.sqrt(c.in()[0].shape().size()));
    for (int k = 0; k < want.length; k++) {
      for (int i = 0; i < want[k].length; i++) {
        assertEquals(want[k][i], got[k][i], floor + 1e-5 * Math.abs(want[k][i]), c + " output " + k + " element " + i);
      }
    }
    for (int workers : new int[] {2, 3}) {
      float[][] many = c.vector(workers);
      for (int k = 0; k < got.length; k++) assertArrayEquals(got[k], many[k], c + " with " + workers + " workers");
    }
  }

  @Test void launchingAllocatesNothing() {
    // 33 columns: a whole vector and a tail at every width.
    Spec x = f(64, 96), c = f(96), y = f(64, 33), d = f(33), row = f(64);
    Spec random = Spec.of(DType.I32, 4), place = Spec.of(DType.I32, 64);
    VectorCase[] cases = {
        new VectorCase(new AddBias(), x, c), new VectorCase(new SumRows(), x), new VectorCase(new Sum(), x),
        new VectorCase(new BiasActivation(Activation.Kind.GELU), y, d),
        new VectorCase(new BiasActivation.Grad(Activation.Kind.GELU), y, y, d),
        new VectorCase(new BiasActivation.Grad(Activation.Kind.GELU_TANH), y, y, d),
        new VectorCase(new Activation.Grad(Activation.Kind.TANH), y, y),
        new VectorCase(new LayerNorm.Grad(), y, y, d, row, row),
        new VectorCase(new DropoutAddLayerNorm(0.1, 1, 1e-7, false), y, y, d, d, random, place, place),
        new VectorCase(new DropoutAddLayerNorm(0.1, 1, 1e-7, false, false), y, y, d, d, random, place, place),
        new VectorCase(new DropoutAddLayerNorm.Grad(0.1, 1, false), y, y, d, row, row, random, place, place)};
    for (VectorCase one : cases) {
      long bytes = one.allocatedPerLaunch();
      assertTrue(bytes == 0, one + " allocates " + bytes + " bytes a launch");
    }
  }
}
