package org.dyr.op;

import java.util.Optional;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * Lays a weight out once as products x W^T read it: panels of neighbouring columns of W^T, cut in depth.
 *
 * <pre>
 * w (N,K), D = K / (parts unit)
 * y (parts, N / columns, D, columns, unit):  y[q,p,d,j,u] = w[p columns + j, (q D + d) unit + u]
 * </pre>
 *
 * {@link MatMul}, {@link Gemm} and {@link GemmActivation} take y for their w.
 *
 * @param unit elements that are neighbours in depth and lie side by side
 */
public record Panels(int parts, int columns, int unit) implements Op {

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, 1);
    Op.checkMatrix(this, "w", in[0]);
    int n = in[0].shape().dim(0), k = in[0].shape().dim(1);
    Op.check(n % columns == 0 && k % (parts * unit) == 0, "%s: %s does not divide into %d parts of %d columns and units "
        + "of %d", name(), in[0], parts, columns, unit);
    return new Spec[] {in[0].with(parts, n / columns, k / (parts * unit), columns, unit)};
  }

  /** The layout of a tensor, if it is in panels. */
  public static Optional<Panels> of(Shape y) {
    return y.rank() == 5 ? Optional.of(new Panels(y.dim(0), y.dim(3), y.dim(4))) : Optional.empty();
  }

  /** The shape (N,K) of the weight that was laid out as y. */
  public static Shape weight(Shape y) {
    return Shape.of(y.dim(1) * y.dim(3), y.dim(0) * y.dim(2) * y.dim(4));
  }

  /** Where element (row, column) of a weight lies in y. */
  public static long index(Shape y, int row, int column) {
    int deep = y.dim(2), columns = y.dim(3), unit = y.dim(4), q = column / (deep * unit), d = column / unit % deep;
    return ((((long) q * y.dim(1) + row / columns) * deep + d) * columns + row % columns) * unit + column % unit;
  }
}
