package org.dyr.kernels.cpu;

import org.dyr.device.Kernel;
import org.dyr.op.Activation.Kind;

/** The kernels of {@code activation.h}. */
final class ActivationCalls {
  private ActivationCalls() {}

  /** y = f(x). */
  static Kernel forward(Binding o, Kind kind) {
    int isa = o.isa, type = o.type, f = kind.ordinal();
    long x = o.in(0), y = o.out(0);
    return o.elements(o.size(), (from, to, _) -> NativeCalls.activation(isa, type, x, y, from, to, f));
  }

  /** dx = dy f'(x). Inputs dy, x. */
  static Kernel backward(Binding o, Kind kind) {
    int isa = o.isa, type = o.type, f = kind.ordinal();
    long dy = o.in(0), x = o.in(1), dx = o.out(0);
    return o.elements(o.size(), (from, to, _) -> NativeCalls.activationGrad(isa, type, dy, x, dx, from, to, f));
  }

  /** y = f(x + b). Inputs x (R,C), b (C). */
  static Kernel forwardWithBias(Binding o, Kind kind) {
    int isa = o.isa, type = o.type, f = kind.ordinal(), columns = o.columns();
    long x = o.in(0), b = o.in(1), y = o.out(0);
    return o.rows((from, to, _) -> NativeCalls.biasActivation(isa, type, x, b, y, from, to, columns, f));
  }

  /** dx = dy f'(x + b). Inputs dy, x (R,C), b (C). */
  static Kernel backwardWithBias(Binding o, Kind kind) {
    int isa = o.isa, type = o.type, f = kind.ordinal(), columns = o.columns();
    long dy = o.in(0), x = o.in(1), b = o.in(2), dx = o.out(0);
    return o.rows((from, to, _) -> NativeCalls.biasActivationGrad(isa, type, dy, x, b, dx, from, to, columns, f));
  }
}
