package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.ActivationVector.PIECE;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Activation.Kind;

/** dx = dy f'(x + b); the loops stand under those of the functions in {@link ActivationVector}. */
final class ActivationGradVector {
  private ActivationGradVector() {}

  /** dx = dy f'(x). Inputs dy, x. */
  static Kernel prepare(Workers workers, Kind kind, Operands o) {
    long dy = o.inputs()[0].address(), x = o.inputs()[1].address(), dx = o.outputs()[0].address();
    Tail tail = new Tail(o.scratch());
    return ElementwiseVector.split(workers, o.in()[0].shape().size(), (w, from, to) ->
        stretch(kind, dy + 4 * from, x + 4 * from, Ram.ZEROS, 0, dx + 4 * from, to - from, tail, w));
  }

  /** dx = dy f'(x + b). Inputs dy, x (R,C), b (C). */
  static Kernel prepareWithBias(Workers workers, Kind kind, Operands o) {
    long dy = o.inputs()[0].address(), x = o.inputs()[1].address(), b = o.inputs()[2].address();
    long dx = o.outputs()[0].address();
    int columns = o.in()[0].shape().last();
    Tail tail = new Tail(o.scratch());
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(), (w, row) -> {
      long at = 4L * row * columns;
      stretch(kind, dy + at, x + at, b, 1, dx + at, columns, tail, w);
    });
  }

  /** Bias and step as in {@link ActivationVector}. */
  private static void stretch(Kind kind, long dy, long x, long b, int step, long dx, long n, Tail tail, int worker) {
    long whole = n - n % COUNT;
    for (long i = 0; i < whole; i += PIECE) {
      int length = (int) Math.min(PIECE, whole - i);
      piece(kind, dy + 4 * i, x + 4 * i, b + 4 * i * step, step, dx + 4 * i, length);
    }
    if (whole == n) return;
    int rest = (int) (n - whole);
    long lastX = Tail.copy(x + 4 * whole, tail.at(worker, 0), rest);
    long lastB = Tail.copy(b + 4 * whole * step, tail.at(worker, 1), rest);
    long lastDy = Tail.copy(dy + 4 * whole, tail.at(worker, 3), rest);
    piece(kind, lastDy, lastX, lastB, step, tail.at(worker, 2), COUNT);
    Tail.copy(tail.at(worker, 2), dx + 4 * whole, rest);
  }

  /** Whole vectors. */
  private static void piece(Kind kind, long dy, long x, long b, int step, long dx, int n) {
    switch (kind) {
      case GELU -> GeluVector.backward(dy, x, b, step, dx, n);
      case GELU_TANH -> GeluTanhVector.backward(dy, x, b, step, dx, n);
      case RELU -> ActivationVector.reluGrad(dy, x, b, step, dx, n);
      case TANH -> ActivationVector.tanhGrad(dy, x, b, step, dx, n);
    }
  }
}
