package org.dyr.kernels.cpu;

import org.dyr.device.Kernel;

/** The kernels of {@code elementwise.h}. */
final class ElementwiseCalls {
  private ElementwiseCalls() {}

  /** c = a + b. Inputs a, b. */
  static Kernel add(Binding o) {
    int isa = o.isa, type = o.type;
    long a = o.in(0), b = o.in(1), c = o.out(0);
    return o.elements(o.size(), (from, to, _) -> NativeCalls.add(isa, type, a, b, c, from, to));
  }

  /** y = x + b. Inputs x (R,C), b (C). */
  static Kernel addBias(Binding o) {
    int isa = o.isa, type = o.type, columns = o.columns();
    long x = o.in(0), b = o.in(1), y = o.out(0);
    return o.rows((from, to, _) -> NativeCalls.addBias(isa, type, x, b, y, from, to, columns));
  }

  /** y = s x. Inputs x, s (1). */
  static Kernel scale(Binding o) {
    int isa = o.isa, type = o.type;
    long x = o.in(0), s = o.in(1), y = o.out(0);
    return o.elements(o.size(), (from, to, _) -> NativeCalls.scale(isa, type, x, s, y, from, to));
  }

  /** y = x everywhere. Input x (1). */
  static Kernel broadcast(Binding o) {
    int isa = o.isa, type = o.type;
    long x = o.in(0), y = o.out(0);
    return o.elements(o.operands.out()[0].shape().size(), (from, to, _) -> NativeCalls.fill(isa, type, x, y, from, to));
  }

  /** y = x, from fp32 to bf16 or back. */
  static Kernel cast(Binding o) {
    int isa = o.isa;
    long x = o.in(0), y = o.out(0);
    return o.elements(o.size(), o.type == 0 ? (from, to, _) -> NativeCalls.narrow(isa, x, y, from, to)
        : (from, to, _) -> NativeCalls.widen(isa, x, y, from, to));
  }
}
