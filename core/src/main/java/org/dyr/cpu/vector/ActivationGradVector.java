package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Activation.Kind;

/** dx = dy f'(x + b) over a stretch of elements; loops and bias as in {@link ActivationVector}. */
final class ActivationGradVector {
  /** 2u' of {@link #geluTanhSlope} is a polynomial in x^2. */
  private static final FloatVector CONSTANT = Floats.all(2 * ActivationVector.SQRT_2_OVER_PI);
  private static final FloatVector SQUARE = Floats.all(6 * ActivationVector.CUBIC * ActivationVector.SQRT_2_OVER_PI);

  private ActivationGradVector() {}

  /** dx = dy f'(x). Inputs dy, x. */
  static Kernel prepare(Workers workers, Kind kind, Operands o) {
    MemorySegment dy = o.inputs()[0].segment(), x = o.inputs()[1].segment(), dx = o.outputs()[0].segment();
    Tail tail = new Tail(o.scratch(), workers.count());
    return ElementwiseVector.split(workers, o.in()[0].shape().size(),
        (w, from, to) -> backward(kind, dy, x, Floats.ZEROS, 0, dx, from, to, tail, w));
  }

  /** dx = dy f'(x + b), db = sum of dx over rows. Inputs dy, x (R,C), b (C); outputs dx, db. Scratch: tail, sums. */
  static Kernel prepareWithBias(Workers workers, Kind kind, Operands o) {
    MemorySegment dy = o.inputs()[0].segment(), x = o.inputs()[1].segment(), b = o.inputs()[2].segment();
    MemorySegment dx = o.outputs()[0].segment();
    Tail tail = new Tail(o.scratch(), workers.count());
    long tailBytes = Tail.scratchBytes(workers.count());
    ColumnSums sums = new ColumnSums(o.in()[0].shape(), o.scratch().slice(tailBytes, o.scratch().bytes() - tailBytes),
        o.outputs()[1]);
    return sums.kernel(workers, (worker, row) -> {
      long at = row * sums.columns, to = at + sums.columns;
      backward(kind, dy, x, b, Lanes.COUNT, dx, at, to, tail, worker);
      ElementwiseVector.add(sums.partial, sums.at(row, 0), dx, at, sums.partial, sums.columns);
    });
  }

  /** @param step as in {@link ActivationVector} */
  private static void backward(Kind kind, MemorySegment dy, MemorySegment x, MemorySegment b, int step, MemorySegment dx,
      long from, long to, Tail tail, int worker) {
    long whole = to - (to - from) % Lanes.COUNT, at = tail.at(worker);
    if (from < whole) vectors(kind, dy, x, b, 0, step, dx, from, whole);
    if (whole == to) return;
    int n = (int) (to - whole);
    Tail.copy(dy, whole, tail.dy, at, n);
    Tail.copy(x, whole, tail.x, at, n);
    Tail.copy(b, (whole - from) / Lanes.COUNT * step, tail.b, at, n);
    vectors(kind, tail.dy, tail.x, tail.b, at, step, tail.y, at, at + Lanes.COUNT);
    Tail.copy(tail.y, at, dx, whole, n);
  }

  private static void vectors(Kind kind, MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step,
      MemorySegment dx, long from, long to) {
    switch (kind) {
      case GELU -> gelu(dy, x, b, bias, step, dx, from, to);
      case GELU_TANH -> geluTanh(dy, x, b, bias, step, dx, from, to);
      case RELU -> relu(dy, x, b, bias, step, dx, from, to);
      case TANH -> tanh(dy, x, b, bias, step, dx, from, to);
    }
  }

  /** dx = dy (Phi(u) + u phi(u)), in two passes as in {@link ActivationVector}. */
  private static void gelu(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += ActivationVector.PIECE) {
      long end = Math.min(to, i + ActivationVector.PIECE), at = bias + (i - from) / Lanes.COUNT * step;
      ActivationVector.bell(x, b, at, step, dx, i, (int) (end - i));
      geluOfBell(dy, x, b, at, step, dx, i, end);
    }
  }

  private static void geluOfBell(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, i).add(Floats.load(b, bias));
      FloatVector bell = Floats.load(dx, i);
      FloatVector slope = u.fma(VectorMath.normalDensity(bell), VectorMath.normalDistribution(u, bell));
      Floats.store(Floats.load(dy, i).mul(slope), dx, i);
    }
  }

  private static void geluTanh(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += ActivationVector.PIECE) {
      long end = Math.min(to, i + ActivationVector.PIECE), at = bias + (i - from) / Lanes.COUNT * step;
      geluTanhExp(x, b, at, step, dx, i, end);
      geluTanhOfExp(dy, x, b, at, step, dx, i, end);
    }
  }

  private static void geluTanhExp(MemorySegment x, MemorySegment b, long bias, int step, MemorySegment e, long from,
      long to) {
    for (long i = from; i < to; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, i).add(Floats.load(b, bias));
      Floats.store(ActivationVector.geluTanhExp(u), e, i);
    }
  }

  private static void geluTanhOfExp(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, i).add(Floats.load(b, bias));
      Floats.store(Floats.load(dy, i).mul(geluTanhSlope(u, Floats.load(dx, i))), dx, i);
    }
  }

  /**
   * With e = e^(-2u) and s = 1 / (1 + e): s + x s (e s) 2u', u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2). e s is 1 - s
   * without cancellation.
   */
  private static FloatVector geluTanhSlope(FloatVector x, FloatVector e) {
    FloatVector s = Floats.all(1).div(e.add(1f));
    FloatVector slope = x.mul(x).fma(SQUARE, CONSTANT);
    FloatVector d = x.mul(slope).mul(s).fma(e.mul(s), s);
    d = d.blend(0f, x.compare(VectorOperators.LT, -ActivationVector.FLAT));
    return d.blend(1f, x.compare(VectorOperators.GT, ActivationVector.FLAT));
  }

  private static void relu(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, i).add(Floats.load(b, bias));
      FloatVector slope = Floats.all(0).blend(1f, u.compare(VectorOperators.GT, 0f));
      Floats.store(Floats.load(dy, i).mul(slope), dx, i);
    }
  }

  private static void tanh(MemorySegment dy, MemorySegment x, MemorySegment b, long bias, int step, MemorySegment dx,
      long from, long to) {
    for (long i = from; i < to; i += Lanes.COUNT, bias += step) {
      FloatVector u = Floats.load(x, i).add(Floats.load(b, bias));
      FloatVector t = VectorMath.tanh(u);
      Floats.store(Floats.load(dy, i).mul(t.neg().fma(t, Floats.all(1))), dx, i);
    }
  }
}
