package org.dyr.cpu.reference;

import java.util.Arrays;
import org.dyr.device.Kernel;

/** Layer norm over rows. */
final class Norms {
  private Norms() {}

  /** in: x, w, b; out: y, mean, rstd. */
  static void forward(double eps, Tensor[] in, Tensor[] out) {
    Tensor x = in[0];
    for (int r = 0; r < x.rows; r++) {
      double mean = 0, variance = 0;
      for (int c = 0; c < x.columns; c++) mean += x.at(r, c) / x.columns;
      for (int c = 0; c < x.columns; c++) variance += (x.at(r, c) - mean) * (x.at(r, c) - mean) / x.columns;
      double rstd = 1 / Math.sqrt(variance + eps);
      for (int c = 0; c < x.columns; c++) {
        out[0].set((long) r * x.columns + c, (x.at(r, c) - mean) * rstd * in[1].get(c) + in[2].get(c));
      }
      out[1].set(r, mean);
      out[2].set(r, rstd);
    }
  }

  /** in: dy, x, w, mean, rstd; out: dx, dw, db. */
  static Kernel backward(Tensor[] in, Tensor[] out) {
    double[] dw = new double[in[1].columns], db = new double[in[1].columns];
    return () -> {
      Arrays.fill(dw, 0);
      Arrays.fill(db, 0);
      backward(in, out, dw, db);
    };
  }

  private static void backward(Tensor[] in, Tensor[] out, double[] dw, double[] db) {
    Tensor dy = in[0], x = in[1], w = in[2];
    for (int r = 0; r < x.rows; r++) {
      double mean = in[3].get(r), rstd = in[4].get(r), average = 0, averageOfProduct = 0;
      for (int c = 0; c < x.columns; c++) {
        double n = (x.at(r, c) - mean) * rstd, dn = dy.at(r, c) * w.get(c);
        average += dn / x.columns;
        averageOfProduct += dn * n / x.columns;
        dw[c] += dy.at(r, c) * n;
        db[c] += dy.at(r, c);
      }
      for (int c = 0; c < x.columns; c++) {
        double n = (x.at(r, c) - mean) * rstd, dn = dy.at(r, c) * w.get(c);
        out[0].set((long) r * x.columns + c, rstd * (dn - average - n * averageOfProduct));
      }
    }
    for (int c = 0; c < x.columns; c++) {
      out[1].set(c, dw[c]);
      out[2].set(c, db[c]);
    }
  }
}
