package org.dyr.cpu.reference;

import org.dyr.op.ClipFactor;
import org.dyr.op.Update;

/**
 * Clipping and the optimizers; formulas in {@link Update}. Operands in order: p, states, g, factor, hyper. Loops count,
 * since an iterator is an object and a step makes none.
 */
final class Updates {
  private Updates() {}

  static void clip(ClipFactor op, Tensor squares, Tensor scale, Tensor factor, Tensor norm) {
    factor.set(0, op.factor(squares.get(0), scale.get(0)));
    norm.set(0, Math.sqrt(squares.get(0)) / scale.get(0));
  }

  static void lamb(Update.Lamb op, Tensor[] t) {
    Tensor p = t[0], m = t[1], v = t[2], g = t[3];
    double factor = t[4].get(0), rate = t[5].get(0), correct1 = t[5].get(1), correct2 = t[5].get(2);
    if (Double.isNaN(factor)) return;
    for (int n = 0; n < op.segments().size(); n++) {
      Update.Segment s = op.segments().get(n);
      double decay = s.decay() ? op.weightDecay() : 0, p2 = 0, g2 = 0, u2 = 0;
      for (long i = s.offset(); i < s.offset() + s.length(); i++) {
        double d = factor * g.get(i);
        m.set(i, op.beta1() * m.get(i) + (1 - op.beta1()) * d);
        v.set(i, op.beta2() * v.get(i) + (1 - op.beta2()) * d * d);
        double u = m.get(i) * correct1 / Math.sqrt(v.get(i) * correct2 + op.eps()) + decay * p.get(i);
        p2 += p.get(i) * p.get(i);
        g2 += d * d;
        u2 += u * u;
      }
      double step = rate * Update.Lamb.ratio(p2, g2, u2);
      for (long i = s.offset(); i < s.offset() + s.length(); i++) {
        double u = m.get(i) * correct1 / (Math.sqrt(v.get(i) * correct2) + op.eps()) + decay * p.get(i);
        p.set(i, p.get(i) - step * u);
      }
    }
  }

  static void adamWeightDecay(Update.AdamWeightDecay op, Tensor[] t) {
    Tensor p = t[0], m = t[1], v = t[2], g = t[3];
    double factor = t[4].get(0), rate = t[5].get(0);
    if (Double.isNaN(factor)) return;
    for (int n = 0; n < op.segments().size(); n++) {
      Update.Segment s = op.segments().get(n);
      double decay = s.decay() ? op.weightDecay() : 0;
      for (long i = s.offset(); i < s.offset() + s.length(); i++) {
        double d = factor * g.get(i);
        m.set(i, op.beta1() * m.get(i) + (1 - op.beta1()) * d);
        v.set(i, op.beta2() * v.get(i) + (1 - op.beta2()) * d * d);
        p.set(i, p.get(i) - rate * (m.get(i) / (Math.sqrt(v.get(i)) + op.eps()) + decay * p.get(i)));
      }
    }
  }

  static void momentum(Update.Momentum op, Tensor[] t) {
    Tensor p = t[0], v = t[1], g = t[2];
    double factor = t[3].get(0), rate = t[4].get(0);
    if (Double.isNaN(factor)) return;
    for (int n = 0; n < op.segments().size(); n++) {
      Update.Segment s = op.segments().get(n);
      for (long i = s.offset(); i < s.offset() + s.length(); i++) {
        v.set(i, op.momentum() * v.get(i) + factor * g.get(i));
        p.set(i, p.get(i) - rate * v.get(i));
      }
    }
  }
}
