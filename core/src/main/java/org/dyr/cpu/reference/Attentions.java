package org.dyr.cpu.reference;

import org.dyr.device.Kernel;

/** Attention over packed sequences, its scores kept in full: (H,T,L), with zeros wherever there is no key. */
final class Attentions {
  private Attentions() {}

  /** One row of scores: a head and a token, with the sequence that it belongs to. */
  interface Row {
    void apply(int head, int sequence, int start, int length, int token, long row);
  }

  /** Visits every row that belongs to a sequence. The visitor is made once, in prepare: a launch allocates nothing. */
  static void forEachRow(int heads, int tokens, int longest, Tensor offsets, Row visit) {
    for (int h = 0; h < heads; h++) {
      for (int s = 0; s + 1 < offsets.size(); s++) {
        int start = offsets.index(s), end = offsets.index(s + 1);
        for (int t = start; t < end; t++) visit.apply(h, s, start, end - start, t, ((long) h * tokens + t) * longest);
      }
    }
  }

  /** The kernel that makes {@code ragged} (H,T,L): zeros, then the visited rows. */
  static Kernel rows(Tensor offsets, Tensor ragged, Row visit) {
    return () -> {
      ragged.fill(0);
      forEachRow(ragged.shape.dim(0), ragged.shape.dim(1), ragged.shape.dim(2), offsets, visit);
    };
  }

  static Kernel scores(int heads, Tensor q, Tensor k, Tensor offsets, Tensor s) {
    int size = q.columns / heads;
    double scale = 1 / Math.sqrt(size);
    return rows(offsets, s, (head, sequence, start, length, token, row) -> {
      for (int j = 0; j < length; j++) {
        double sum = 0;
        for (int d = head * size; d < (head + 1) * size; d++) sum += q.at(token, d) * k.at(start + j, d);
        s.set(row + j, sum * scale);
      }
    });
  }

  /** in: ds, q, k, offsets. */
  static Kernel scoresGrad(int heads, Tensor[] in, Tensor dq, Tensor dk) {
    Tensor ds = in[0], q = in[1], k = in[2];
    int size = q.columns / heads, tokens = q.rows, longest = ds.shape.dim(2);
    double scale = 1 / Math.sqrt(size);
    Row visit = (head, sequence, start, length, token, row) -> {
      for (int j = 0; j < length; j++) {
        for (int d = head * size; d < (head + 1) * size; d++) {
          accumulate(dq, token, d, ds.get(row + j) * k.at(start + j, d) * scale);
          accumulate(dk, start + j, d, ds.get(row + j) * q.at(token, d) * scale);
        }
      }
    };
    return () -> {
      dq.fill(0);
      dk.fill(0);
      forEachRow(heads, tokens, longest, in[3], visit);
    };
  }

  static Kernel softmax(Tensor s, Tensor offsets, Tensor p, Tensor lse) {
    int tokens = s.shape.dim(1);
    Kernel rows = rows(offsets, p, (head, sequence, start, length, token, row) -> {
      double max = Double.NEGATIVE_INFINITY, sum = 0;
      for (int j = 0; j < length; j++) max = Math.max(max, s.get(row + j));
      for (int j = 0; j < length; j++) sum += Math.exp(s.get(row + j) - max);
      double log = max + Math.log(sum);
      for (int j = 0; j < length; j++) p.set(row + j, Math.exp(s.get(row + j) - log));
      lse.set((long) head * tokens + token, log);
    });
    return () -> {
      lse.fill(0);
      rows.launch();
    };
  }

  static Kernel softmaxGrad(Tensor dp, Tensor p, Tensor offsets, Tensor ds) {
    return rows(offsets, ds, (head, sequence, start, length, token, row) -> {
      double dot = 0;
      for (int j = 0; j < length; j++) dot += p.get(row + j) * dp.get(row + j);
      for (int j = 0; j < length; j++) ds.set(row + j, p.get(row + j) * (dp.get(row + j) - dot));
    });
  }

  static Kernel context(int heads, Tensor p, Tensor v, Tensor offsets, Tensor o) {
    int size = v.columns / heads, tokens = v.rows, longest = p.shape.dim(2);
    Row visit = (head, sequence, start, length, token, row) -> {
      for (int d = head * size; d < (head + 1) * size; d++) {
        double sum = 0;
        for (int j = 0; j < length; j++) sum += p.get(row + j) * v.at(start + j, d);
        o.set((long) token * v.columns + d, sum);
      }
    };
    return () -> {
      o.fill(0);
      forEachRow(heads, tokens, longest, offsets, visit);
    };
  }

  /** in: do, p, v, offsets. */
  static Kernel contextGrad(int heads, Tensor[] in, Tensor dp, Tensor dv) {
    Tensor dout = in[0], p = in[1], v = in[2];
    int size = v.columns / heads;
    Kernel rows = rows(in[3], dp, (head, sequence, start, length, token, row) -> {
      for (int j = 0; j < length; j++) {
        double sum = 0;
        for (int d = head * size; d < (head + 1) * size; d++) {
          sum += dout.at(token, d) * v.at(start + j, d);
          accumulate(dv, start + j, d, p.get(row + j) * dout.at(token, d));
        }
        dp.set(row + j, sum);
      }
    });
    return () -> {
      dv.fill(0);
      rows.launch();
    };
  }

  static void accumulate(Tensor t, int row, int column, double x) {
    long at = (long) row * t.columns + column;
    t.set(at, t.get(at) + x);
  }
}
