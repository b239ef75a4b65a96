package org.dyr.cpu.reference;

import org.dyr.device.Kernel;
import org.dyr.op.Queries;

/** Attention over packed sequences, its scores kept in full: (H,Q,L), with zeros wherever there is no key. */
final class Attentions {
  private Attentions() {}

  /** One row of scores: a head and a query, its place in the sequence that it belongs to, and where the row begins. */
  interface Row {
    void apply(int head, int sequence, int start, int length, int place, int query, long row);
  }

  /** Visits every row that belongs to a sequence. The visitor is made once, in prepare: a launch allocates nothing. */
  static void forEachRow(Queries queries, Tensor ragged, Tensor offsets, Row visit) {
    int heads = ragged.shape.dim(0), rows = ragged.shape.dim(1), longest = ragged.shape.dim(2);
    for (int h = 0; h < heads; h++) {
      for (int s = 0; s + 1 < offsets.size(); s++) {
        int start = offsets.index(s), length = offsets.index(s + 1) - start, first = queries.begin(s, start);
        for (int i = 0; i < queries.count(length); i++) {
          visit.apply(h, s, start, length, i, first + i, ((long) h * rows + first + i) * longest);
        }
      }
    }
  }

  /** The kernel that makes {@code ragged} (H,Q,L): zeros, then the visited rows. */
  static Kernel rows(Queries queries, Tensor offsets, Tensor ragged, Row visit) {
    return () -> {
      ragged.fill(0);
      forEachRow(queries, ragged, offsets, visit);
    };
  }

  static Kernel scores(Queries queries, int heads, Tensor q, Tensor k, Tensor offsets, Tensor s) {
    int size = q.columns / heads;
    double scale = 1 / Math.sqrt(size);
    return rows(queries, offsets, s, (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        double sum = 0;
        for (int d = head * size; d < (head + 1) * size; d++) sum += q.at(query, d) * k.at(start + j, d);
        s.set(row + j, sum * scale);
      }
    });
  }

  /** in: ds, q, k, offsets. */
  static Kernel scoresGrad(Queries queries, int heads, Tensor[] in, Tensor dq, Tensor dk) {
    Tensor ds = in[0], q = in[1], k = in[2];
    int size = q.columns / heads;
    double scale = 1 / Math.sqrt(size);
    Sums dqs = new Sums(dq), dks = new Sums(dk);
    Row visit = (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        for (int d = head * size; d < (head + 1) * size; d++) {
          dqs.add(query, d, ds.get(row + j) * k.at(start + j, d) * scale);
          dks.add(start + j, d, ds.get(row + j) * q.at(query, d) * scale);
        }
      }
    };
    return () -> {
      dqs.clear();
      dks.clear();
      forEachRow(queries, ds, in[3], visit);
      dqs.store();
      dks.store();
    };
  }

  static Kernel softmax(Queries queries, Tensor s, Tensor offsets, Tensor p, Tensor lse) {
    int count = s.shape.dim(1);
    Kernel rows = rows(queries, offsets, p, (head, sequence, start, length, place, query, row) -> {
      double max = Double.NEGATIVE_INFINITY, sum = 0;
      for (int j = 0; j < length; j++) max = Math.max(max, s.get(row + j));
      for (int j = 0; j < length; j++) sum += Math.exp(s.get(row + j) - max);
      double log = max + Math.log(sum);
      for (int j = 0; j < length; j++) p.set(row + j, Math.exp(s.get(row + j) - log));
      lse.set((long) head * count + query, log);
    });
    return () -> {
      lse.fill(0);
      rows.launch();
    };
  }

  static Kernel softmaxGrad(Queries queries, Tensor dp, Tensor p, Tensor offsets, Tensor ds) {
    return rows(queries, offsets, ds, (head, sequence, start, length, place, query, row) -> {
      double dot = 0;
      for (int j = 0; j < length; j++) dot += p.get(row + j) * dp.get(row + j);
      for (int j = 0; j < length; j++) ds.set(row + j, p.get(row + j) * (dp.get(row + j) - dot));
    });
  }

  static Kernel context(Queries queries, int heads, Tensor p, Tensor v, Tensor offsets, Tensor o) {
    int size = v.columns / heads;
    Row visit = (head, sequence, start, length, place, query, row) -> {
      for (int d = head * size; d < (head + 1) * size; d++) {
        double sum = 0;
        for (int j = 0; j < length; j++) sum += p.get(row + j) * v.at(start + j, d);
        o.set((long) query * v.columns + d, sum);
      }
    };
    return () -> {
      o.fill(0);
      forEachRow(queries, p, offsets, visit);
    };
  }

  /** in: do, p, v, offsets. */
  static Kernel contextGrad(Queries queries, int heads, Tensor[] in, Tensor dp, Tensor dv) {
    Tensor dout = in[0], p = in[1], v = in[2];
    int size = v.columns / heads;
    Sums dvs = new Sums(dv);
    Kernel rows = rows(queries, in[3], dp, (head, sequence, start, length, place, query, row) -> {
      for (int j = 0; j < length; j++) {
        double sum = 0;
        for (int d = head * size; d < (head + 1) * size; d++) {
          sum += dout.at(query, d) * v.at(start + j, d);
          dvs.add(start + j, d, p.get(row + j) * dout.at(query, d));
        }
        dp.set(row + j, sum);
      }
    });
    return () -> {
      dvs.clear();
      rows.launch();
      dvs.store();
    };
  }
}
