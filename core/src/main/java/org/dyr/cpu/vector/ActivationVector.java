package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Activation.Kind;

/**
 * y = f(u), u = x + b, and dx = dy f'(u) under it. Without a bias its place is taken by a vector of zeros that is read
 * again and again (step 0). Work goes in pieces that stay in L1, in several passes over a piece, each a loop from
 * memory to memory (see {@link Floats}). gelu takes about 45 instructions a vector: bound by them in L2, by memory
 * beyond.
 */
final class ActivationVector {
  /** Floats of a piece: 4 KiB of each operand. */
  static final int PIECE = 1024;

  private static final FloatVector ONE = FloatVector.broadcast(F, 1);

  private ActivationVector() {}

  /** y = f(x). */
  static Kernel prepare(Workers workers, Kind kind, Operands o) {
    long x = o.inputs()[0].address(), y = o.outputs()[0].address();
    Tail tail = new Tail(o.scratch());
    return ElementwiseVector.split(workers, o.in()[0].shape().size(), (w, from, to) ->
        stretch(kind, x + 4 * from, Ram.ZEROS, 0, y + 4 * from, to - from, tail, w));
  }

  /** y = f(x + b), row by row. Inputs x (R,C), b (C). */
  static Kernel prepareWithBias(Workers workers, Kind kind, Operands o) {
    long x = o.inputs()[0].address(), b = o.inputs()[1].address(), y = o.outputs()[0].address();
    int columns = o.in()[0].shape().last();
    Tail tail = new Tail(o.scratch());
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(), (w, row) -> {
      long at = 4 * row * columns;
      stretch(kind, x + at, b, 1, y + at, columns, tail, w);
    });
  }

  /** @param step floats from one element's bias to the next one's: 1, or 0 where b is one vector of zeros */
  private static void stretch(Kind kind, long x, long b, int step, long y, long n, Tail tail, int worker) {
    long whole = n - n % COUNT;
    for (long i = 0; i < whole; i += PIECE) {
      piece(kind, x + 4 * i, b + 4 * i * step, step, y + 4 * i, (int) Math.min(PIECE, whole - i));
    }
    if (whole == n) return;
    int rest = (int) (n - whole);
    long lastX = Tail.copy(x + 4 * whole, tail.at(worker, 0), rest);
    long lastB = Tail.copy(b + 4 * whole * step, tail.at(worker, 1), rest);
    piece(kind, lastX, lastB, step, tail.at(worker, 2), COUNT);
    Tail.copy(tail.at(worker, 2), y + 4 * whole, rest);
  }

  /** Whole vectors. */
  private static void piece(Kind kind, long x, long b, int step, long y, int n) {
    switch (kind) {
      case GELU -> GeluVector.forward(x, b, step, y, n);
      case GELU_TANH -> GeluTanhVector.forward(x, b, step, y, n);
      case RELU -> relu(x, b, step, y, n);
      case TANH -> tanh(x, b, step, y, n);
    }
  }

  /** y = max(u, 0); NaN stays. */
  private static void relu(long x, long b, int step, long y, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      u.blend(0f, u.compare(VectorOperators.LT, 0f)).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }

  /** dx = dy where u > 0, else 0 dy: a dy that is not finite stays visible. */
  static void reluGrad(long dy, long x, long b, int step, long dx, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      FloatVector slope = FloatVector.zero(F).blend(1f, u.compare(VectorOperators.GT, 0f));
      slope.mul(FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(dx + 4L * i), ORDER);
    }
  }

  private static void tanh(long x, long b, int step, long y, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      u.intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
    VectorMath.tanh(y, y, n);
  }

  /** dx = dy (1 - tanh^2 u). */
  static void tanhGrad(long dy, long x, long b, int step, long dx, int n) {
    tanh(x, b, step, dx, n);
    for (int i = 0; i < n; i += COUNT) {
      FloatVector t = FloatVector.fromMemorySegment(F, ALL, at(dx + 4L * i), ORDER), slope = ONE.sub(t.mul(t));
      slope.mul(FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(dx + 4L * i), ORDER);
    }
  }
}
