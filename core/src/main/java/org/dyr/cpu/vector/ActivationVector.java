package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Activation.Kind;

/**
 * y = f(x + b) over a stretch of elements. The loops are one a function, since a vector that leaves a method that was
 * not inlined becomes an object, and a loop over all four would be too large to inline. Without a bias its place is
 * taken by a vector of zeros that is read again and again (step 0). gelu: about 35 instructions a vector, close to the
 * L2's speed.
 */
final class ActivationVector {
  static final float SQRT_2_OVER_PI = 0.797884561f;
  static final float CUBIC = 0.044715f;

  /** From here on sigmoid(2u) of {@link #geluTanh} is 1 in fp32, and at its negative 0. */
  static final float FLAT = 10;

  /** Floats worked on at a time: 4 KiB of each operand. */
  static final int PIECE = 1024;

  private ActivationVector() {}

  /** y = f(x). */
  static Kernel prepare(Workers workers, Kind kind, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), y = o.outputs()[0].segment();
    Tail tail = new Tail(o.scratch(), workers.count());
    return ElementwiseVector.split(workers, o.in()[0].shape().size(),
        (w, from, to) -> forward(kind, x, Floats.ZEROS, 0, y, from, to, tail, w));
  }

  /** y = f(x + b), row by row. Inputs x (R,C), b (C). */
  static Kernel prepareWithBias(Workers workers, Kind kind, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), b = o.inputs()[1].segment(), y = o.outputs()[0].segment();
    int rows = o.in()[0].shape().rows(), columns = o.in()[0].shape().last();
    Tail tail = new Tail(o.scratch(), workers.count());
    Workers.Task task = w -> {
      long end = Workers.begin(rows, w + 1, workers.count()), c = columns;
      for (long r = Workers.begin(rows, w, workers.count()); r < end; r++) {
        forward(kind, x, b, Lanes.COUNT, y, r * c, r * c + c, tail, w);
      }
    };
    return () -> workers.run(task);
  }

  /** @param step floats from the biases of one vector to those of the next: 0 where b is one vector of zeros */
  private static void forward(Kind kind, MemorySegment x, MemorySegment b, int step, MemorySegment y, long from, long to,
      Tail tail, int worker) {
    long whole = to - (to - from) % Lanes.COUNT, at = tail.at(worker);
    if (from < whole) vectors(kind, x, b, 0, step, y, from, whole);
    if (whole == to) return;
    int n = (int) (to - whole);
    Tail.copy(x, whole, tail.x, at, n);
    Tail.copy(b, (whole - from) / Lanes.COUNT * step, tail.b, at, n);
    vectors(kind, tail.x, tail.b, at, step, tail.y, at, at + Lanes.COUNT);
    Tail.copy(tail.y, at, y, whole, n);
  }

  /** Whole vectors, in pieces that stay in L1; b from {@code bias} on. */
  private static void vectors(Kind kind, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long from,
      long to) {
    for (long at = from; at < to; at += PIECE) {
      int n = (int) Math.min(PIECE, to - at);
      long biasAt = bias + (at - from) / Lanes.COUNT * step;
      switch (kind) {
        case GELU -> {
          bell(x, b, biasAt, step, y, at, n);
          geluOfBell(x, b, biasAt, step, y, at, n);
        }
        case GELU_TANH -> geluTanh(x, b, biasAt, step, y, at, n);
        case RELU -> relu(x, b, biasAt, step, y, at, n);
        case TANH -> tanh(x, b, biasAt, step, y, at, n);
      }
    }
  }

  /** y = e^(-u^2/2), u = x + b. A pass of its own: with the next it would be too large to inline. */
  static void bell(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long at, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, at + i).add(Floats.load(b, bias));
      Floats.store(VectorMath.bell(u), y, at + i);
    }
  }

  /** y = u Phi(u), y holding the bell of u. */
  private static void geluOfBell(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long at, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, at + i).add(Floats.load(b, bias));
      Floats.store(u.mul(VectorMath.normalDistribution(u, Floats.load(y, at + i))), y, at + i);
    }
  }

  private static void geluTanh(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long at, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, at + i).add(Floats.load(b, bias));
      Floats.store(geluTanh(u), y, at + i);
    }
  }

  private static void relu(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long at, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, at + i).add(Floats.load(b, bias));
      Floats.store(relu(u), y, at + i);
    }
  }

  private static void tanh(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment y, long at, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, at + i).add(Floats.load(b, bias));
      Floats.store(VectorMath.tanh(u), y, at + i);
    }
  }

  /** x/2 (1 + tanh u) = x s with s = sigmoid(2u) = 1 / (1 + e^(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3). */
  private static FloatVector geluTanh(FloatVector x) {
    FloatVector s = Floats.all(1).div(geluTanhExp(x).add(1));
    return x.mul(s.blend(0f, x.compare(VectorOperators.LT, -FLAT)));
  }

  /** e^(-2u), x held within [-FLAT, FLAT], so that neither it nor x^3 overflows. */
  static FloatVector geluTanhExp(FloatVector x) {
    FloatVector a = x.blend(FLAT, x.compare(VectorOperators.GT, FLAT));
    a = a.blend(-FLAT, x.compare(VectorOperators.LT, -FLAT));
    FloatVector t = a.mul(a).fma(Floats.all(-2 * SQRT_2_OVER_PI * CUBIC), Floats.all(-2 * SQRT_2_OVER_PI));
    return VectorMath.expNotPositive(a.mul(t));
  }

  /** max(x, 0); NaN stays. */
  private static FloatVector relu(FloatVector x) {
    return x.blend(0f, x.compare(VectorOperators.LT, 0f));
  }
}
