package org.dyr.cpu.reference;

import static org.dyr.cpu.reference.Attentions.forEachRow;
import static org.dyr.cpu.reference.Attentions.rows;

import org.dyr.cpu.reference.Attentions.Row;
import org.dyr.device.Kernel;
import org.dyr.op.Queries;

/** Scores and contexts of {@link Attentions} with an embedding of the clipped distance added to keys and values. */
final class RelativeAttentions {
  private RelativeAttentions() {}

  /** The table's row for the key at place {@code j} and the query at place {@code i} of a sequence. */
  private static int distance(Tensor table, int j, int i) {
    int most = table.rows / 2;
    return Math.min(Math.max(j - i, -most), most) + most;
  }

  /** in: q, k, a, offsets. */
  static Kernel scores(int heads, Tensor[] in, Tensor s) {
    Tensor q = in[0], k = in[1], a = in[2];
    int size = q.columns / heads;
    double scale = 1 / Math.sqrt(size);
    return rows(Queries.ALL, in[3], s, (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        int c = distance(a, j, place), first = head * size;
        double sum = 0;
        for (int d = 0; d < size; d++) sum += q.at(query, first + d) * (k.at(start + j, first + d) + a.at(c, d));
        s.set(row + j, sum * scale);
      }
    });
  }

  /** in: ds, q, k, a, offsets; out: dq, dk, da. */
  static Kernel scoresGrad(int heads, Tensor[] in, Tensor[] out) {
    Tensor ds = in[0], q = in[1], k = in[2], a = in[3];
    int size = q.columns / heads;
    double scale = 1 / Math.sqrt(size);
    Sums dq = new Sums(out[0]), dk = new Sums(out[1]), da = new Sums(out[2]);
    Row visit = (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        int c = distance(a, j, place);
        double g = ds.get(row + j) * scale;
        for (int d = 0; d < size; d++) {
          int column = head * size + d;
          dq.add(query, column, g * (k.at(start + j, column) + a.at(c, d)));
          dk.add(start + j, column, g * q.at(query, column));
          da.add(c, d, g * q.at(query, column));
        }
      }
    };
    return () -> {
      dq.clear();
      dk.clear();
      da.clear();
      forEachRow(Queries.ALL, ds, in[4], visit);
      dq.store();
      dk.store();
      da.store();
    };
  }

  /** in: p, v, a, offsets. */
  static Kernel context(int heads, Tensor[] in, Tensor o) {
    Tensor p = in[0], v = in[1], a = in[2];
    int size = v.columns / heads;
    Row visit = (head, sequence, start, length, place, query, row) -> {
      for (int d = 0; d < size; d++) {
        double sum = 0;
        for (int j = 0; j < length; j++) {
          sum += p.get(row + j) * (v.at(start + j, head * size + d) + a.at(distance(a, j, place), d));
        }
        o.set((long) query * v.columns + head * size + d, sum);
      }
    };
    return () -> {
      o.fill(0);
      forEachRow(Queries.ALL, p, in[3], visit);
    };
  }

  /** in: do, p, v, a, offsets; out: dp, dv, da. */
  static Kernel contextGrad(int heads, Tensor[] in, Tensor[] out) {
    Tensor dout = in[0], p = in[1], v = in[2], a = in[3];
    int size = v.columns / heads;
    Sums dv = new Sums(out[1]), da = new Sums(out[2]);
    Kernel rows = rows(Queries.ALL, in[4], out[0], (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        int c = distance(a, j, place);
        double sum = 0;
        for (int d = 0; d < size; d++) {
          int column = head * size + d;
          sum += dout.at(query, column) * (v.at(start + j, column) + a.at(c, d));
          dv.add(start + j, column, p.get(row + j) * dout.at(query, column));
          da.add(c, d, p.get(row + j) * dout.at(query, column));
        }
        out[0].set(row + j, sum);
      }
    });
    return () -> {
      dv.clear();
      da.clear();
      rows.launch();
      dv.store();
      da.store();
    };
  }
}
