package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Activation;
import org.dyr.tensor.Spec;

/** The kernels of {@code activation.cu}. */
final class ActivationCalls {
  private ActivationCalls() {}

  /** y = f(x). Input x. */
  static Kernel forward(Binding o, Activation.Kind kind) {
    return value(o, kind, 0);
  }

  /** y = f(x + b). Inputs x (R,C), b (C). */
  static Kernel forwardWithBias(Binding o, Activation.Kind kind) {
    return value(o, kind, o.in(1));
  }

  private static Kernel value(Binding o, Activation.Kind kind, long b) {
    int type = o.type(), columns = o.columns(), function = kind.ordinal();
    long x = o.in(0), y = o.out(0), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.activation(type, function, x, b, y, n, columns, stream));
  }

  /** dx = dy f'(x). Inputs dy, x. */
  static Kernel backward(Binding o, Activation.Kind kind) {
    return slope(o, kind, 0);
  }

  /** dx = dy f'(x + b). Inputs dy, x (R,C), b (C). */
  static Kernel backwardWithBias(Binding o, Activation.Kind kind) {
    return slope(o, kind, o.in(2));
  }

  /** dx = dy f'(x + b), and db, the sum of its rows. Inputs dy, x (R,C), b (C); outputs dx (R,C), db (C). */
  static Kernel backwardWithSums(Binding o, Activation.Kind kind) {
    int type = o.type(), rows = o.rows(), columns = o.columns(), function = kind.ordinal();
    long dy = o.in(0), x = o.in(1), b = o.in(2), dx = o.out(0), db = o.out(1), partial = o.scratch();
    long stream = o.stream();
    return () -> check(CudaCalls.activationGradSumRows(type, function, dy, x, b, dx, db, partial, rows, columns,
        stream));
  }

  /** Bytes of the partial sums over the rows of such an x. */
  static long sumsScratch(Spec x) {
    return CudaCalls.activationSumsScratch(Binding.number(x.type()), x.shape().rows(), x.shape().last());
  }

  private static Kernel slope(Binding o, Activation.Kind kind, long b) {
    int type = o.type(), columns = o.columns(), function = kind.ordinal();
    long dy = o.in(0), x = o.in(1), dx = o.out(0), n = o.size(), stream = o.stream();
    return () -> check(CudaCalls.activationGrad(type, function, dy, x, b, dx, n, columns, stream));
  }
}
