package org.dyr.cpu.reference;

import org.dyr.device.Kernel;
import org.dyr.op.MatMul;
import org.dyr.op.Panels;

/** Products, sums, and moving rows. */
final class Elementary {
  private Elementary() {}

  static void cast(Tensor x, Tensor y) {
    for (long i = 0; i < x.size(); i++) y.set(i, x.get(i));
  }

  static void matMul(MatMul op, Tensor a, Tensor b, Tensor c) {
    int inner = a.shape.dim(op.transposeA() ? 0 : 1);
    boolean panels = Panels.of(b.shape).isPresent();
    for (int i = 0; i < c.rows; i++) {
      for (int j = 0; j < c.columns; j++) {
        double sum = 0;
        for (int k = 0; k < inner; k++) {
          double right = panels ? b.get(Panels.index(b.shape, j, k)) : op.transposeB() ? b.at(j, k) : b.at(k, j);
          sum += (op.transposeA() ? a.at(k, i) : a.at(i, k)) * right;
        }
        c.set((long) i * c.columns + j, sum);
      }
    }
  }

  static void panels(Tensor w, Tensor y) {
    for (int r = 0; r < w.rows; r++) {
      for (int c = 0; c < w.columns; c++) y.set(Panels.index(y.shape, r, c), w.at(r, c));
    }
  }

  static void addBias(Tensor x, Tensor bias, Tensor y) {
    for (long i = 0; i < x.size(); i++) y.set(i, x.get(i) + bias.get(i % x.columns));
  }

  static void add(Tensor a, Tensor b, Tensor c) {
    for (long i = 0; i < a.size(); i++) c.set(i, a.get(i) + b.get(i));
  }

  static void scale(Tensor x, Tensor factor, Tensor y) {
    double s = factor.get(0);
    for (long i = 0; i < x.size(); i++) y.set(i, s * x.get(i));
  }

  static void gather(Tensor table, Tensor index, Tensor y) {
    for (int r = 0; r < y.rows; r++) {
      for (int c = 0; c < y.columns; c++) y.set((long) r * y.columns + c, table.at(index.index(r), c));
    }
  }

  static Kernel scatter(Tensor dy, Tensor index, Tensor dtable) {
    Sums sums = new Sums(dtable);
    return () -> {
      sums.clear();
      for (int r = 0; r < dy.rows; r++) for (int c = 0; c < dy.columns; c++) sums.add(index.index(r), c, dy.at(r, c));
      sums.store();
    };
  }

  static void sum(Tensor x, Tensor y) {
    double sum = 0;
    for (long i = 0; i < x.size(); i++) sum += x.get(i);
    y.set(0, sum);
  }

  static void sumRows(Tensor x, Tensor y) {
    for (int c = 0; c < x.columns; c++) {
      double sum = 0;
      for (int r = 0; r < x.rows; r++) sum += x.at(r, c);
      y.set(c, sum);
    }
  }

  static void sumSquares(Tensor x, Tensor y) {
    double sum = 0;
    for (long i = 0; i < x.size(); i++) sum += x.get(i) * x.get(i);
    y.set(0, sum);
  }

  static void allFinite(Tensor x, Tensor y) {
    boolean finite = true;
    for (long i = 0; i < x.size(); i++) finite &= Double.isFinite(x.get(i));
    y.set(0, finite ? 1 : 0);
  }

  static void ifFinite(Tensor rows, Tensor x, Tensor y) {
    long first = Double.isFinite(x.get(0)) ? 0 : y.size();
    for (long i = 0; i < y.size(); i++) y.set(i, rows.get(first + i));
  }
}
