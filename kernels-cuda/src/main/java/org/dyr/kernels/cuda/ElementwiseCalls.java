package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Cast;

/** The kernels of {@code elementwise.cu}. */
final class ElementwiseCalls {
  private ElementwiseCalls() {}

  /** c = a + b. Inputs a, b. */
  static Kernel add(Binding o) {
    int type = o.type();
    long a = o.in(0), b = o.in(1), c = o.out(0), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.add(type, a, b, c, n, stream));
  }

  /** y = x + b. Inputs x (R,C), b (C). */
  static Kernel addBias(Binding o) {
    int type = o.type(), rows = o.rows(), columns = o.columns();
    long x = o.in(0), b = o.in(1), y = o.out(0), stream = o.stream();
    return () -> check(CudaCalls.addBias(type, x, b, y, rows, columns, stream));
  }

  /** y = s x. Inputs x, s (1). */
  static Kernel scale(Binding o) {
    int type = o.type();
    long x = o.in(0), s = o.in(1), y = o.out(0), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.scale(type, x, s, y, n, stream));
  }

  /** y = x everywhere. Input x (1). */
  static Kernel broadcast(Binding o) {
    int type = o.type();
    long x = o.in(0), y = o.out(0), n = o.operands().out()[0].shape().size(), stream = o.stream();
    return () -> check(CudaCalls.broadcast(type, x, y, n, stream));
  }

  /** y = x in another type. */
  static Kernel cast(Binding o, Cast op) {
    int from = o.type(), to = Binding.number(op.to());
    long x = o.in(0), y = o.out(0), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.cast(from, to, x, y, n, stream));
  }
}
