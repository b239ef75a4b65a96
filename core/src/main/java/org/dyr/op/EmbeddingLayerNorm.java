package org.dyr.op;

import java.util.Optional;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * h = words[token] + types[type] + positions[position]; y = layer norm of h, in another type where one is named: BERT's
 * embeddings in one pass.
 *
 * <p>Inputs: tables (V,C), each followed by its index i32(T), in the order that they are added up in; then w, b (C).
 * Outputs y (T,C) and, where they are kept, h (T,C), mean, rstd (T).
 *
 * @param tables how many there are: two where positions are relative
 * @param to the type of y, where it is not that of the tables
 * @param kept whether h, mean and rstd are outputs: the backward reads them
 */
public record EmbeddingLayerNorm(int tables, double eps, Optional<DType> to, boolean kept) implements KeepingOp {

  @Override public Spec[] outputs(Spec... in) {
    Op.check(tables >= 2, "%s: adds up 2 tables or more, not %d", name(), tables);
    Op.arity(this, in, 2 * tables + 2);
    Spec h = rows(0, in);
    for (int t = 1; t < tables; t++) {
      Op.check(rows(t, in).equals(h), "%s: rows of table %d are %s, those of the first %s", name(), t, rows(t, in), h);
    }
    Spec[] y = new LayerNorm(eps).outputs(h, in[2 * tables], in[2 * tables + 1]);
    Spec rounded = to.isPresent() ? new Cast(to.get()).outputs(h)[0] : h;
    return kept ? new Spec[] {rounded, h, y[1], y[2]} : new Spec[] {rounded};
  }

  private static Spec rows(int table, Spec[] in) {
    return new Gather().outputs(in[2 * table], in[2 * table + 1])[0];
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value h = r.emit1(new Gather(), in[0], in[1]);
    for (int t = 1; t < tables; t++) {
      h = r.emit1(new Add(false), h, r.emit1(new Gather(), in[2 * t], in[2 * t + 1]));
    }
    Value[] y = r.emit(new LayerNorm(eps), h, in[2 * tables], in[2 * tables + 1]);
    Value rounded = to.isPresent() ? r.emit1(new Cast(to.get()), y[0]) : y[0];
    return kept ? new Value[] {rounded, h, y[1], y[2]} : new Value[] {rounded};
  }

  @Override public EmbeddingLayerNorm unkept() {
    return new EmbeddingLayerNorm(tables, eps, to, false);
  }

  /** The same with y in another type. */
  public EmbeddingLayerNorm to(DType type) {
    return new EmbeddingLayerNorm(tables, eps, Optional.of(type), kept);
  }

  /** Of the tables only the rows that are taken. */
  @Override public long bytes(Spec[] in) {
    long b = in[2 * tables].bytes() + in[2 * tables + 1].bytes();
    for (int t = 0; t < tables; t++) b += in[2 * t + 1].bytes() + rows(t, in).bytes();
    for (Spec s : outputs(in)) b += s.bytes();
    return b;
  }

  /** In parts: what is added up to a table's gradient outweighs the passes that one op would save. */
  @Override public void backward(Gradients g) {
    if (!kept) throw new UnsupportedOperationException(name() + " has no gradient where it keeps nothing for one");
    Value dy = to.isPresent() ? g.emit1(new Cast(g.out(1).spec().type()), g.gradOf(0)) : g.gradOf(0);
    Value[] d = g.emit(new LayerNorm.Grad(), dy, g.out(1), g.in(2 * tables), g.out(2), g.out(3));
    for (int t = 0; t < tables; t++) {
      if (!g.wants(2 * t)) continue;
      g.give(2 * t, g.emit1(new Gather.Grad(g.in(2 * t).shape().dim(0)), d[0], g.in(2 * t + 1)));
    }
    for (int i = 0; i < 2; i++) if (g.wants(2 * tables + i)) g.give(2 * tables + i, d[1 + i]);
  }
}
