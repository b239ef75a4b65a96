package org.dyr.cpu.reference;

import org.dyr.device.Kernel;
import org.dyr.op.AttentionDropout;
import org.dyr.op.Dropout;
import org.dyr.op.Philox;

/** Dropout of rows and of attention probabilities, element by element from {@link Philox}. */
final class Dropouts {
  private Dropouts() {}

  /** in: x, random, sequence, position. */
  static void rows(Dropout op, Tensor[] in, Tensor y) {
    Tensor x = in[0];
    int stride = Philox.stride(x.columns);
    for (int r = 0; r < x.rows; r++) {
      for (int c = 0; c < x.columns; c++) {
        double kept = keep(op.probability(), in[1], in[3].index(r) * stride, c, in[2].index(r),
            Philox.site(op.site(), 0));
        y.set((long) r * x.columns + c, kept * x.at(r, c));
      }
    }
  }

  /** in: p (H,Q,L), random, offsets, sequence. */
  static Kernel attention(AttentionDropout op, Tensor[] in, Tensor y) {
    return Attentions.rows(op.queries(), in[2], y, (head, sequence, start, length, place, query, row) -> {
      int base = place * Philox.ATTENTION_STRIDE;
      for (int j = 0; j < length; j++) {
        double kept = keep(op.probability(), in[1], base, j, in[3].index(sequence), Philox.site(op.site(), head));
        y.set(row + j, kept * in[0].get(row + j));
      }
    });
  }

  /** The scale where the element stays, else 0. */
  private static double keep(double p, Tensor random, int base, int column, int sequence, int site) {
    int word = Philox.word(base + Philox.counter(column), sequence, site, random.index(2), random.index(0),
        random.index(1), Philox.wordOf(column));
    return Philox.keeps(Philox.half(word, column), Philox.threshold(p)) ? Philox.scale(p) : 0;
  }
}
