package org.dyr.op;

import java.util.Arrays;
import org.dyr.tensor.Spec;

/**
 * {@link Attention} with an embedding of the clipped distance added to keys and values, a tile of the scores at a time:
 * o = dropout(softmax(q (k + a)^T / sqrt(D))) (v + a); see {@link RelativeScores}. One table serves both sides, as in
 * MindSpore's BERT; Shaw et al. 2018 have one for each.
 *
 * <p>Inputs are those of Attention, then the table a (2m+1,D); outputs o (T,C) and lse (H,T) likewise.
 */
public record RelativeAttention(Attention of) implements FusedOp {

  public RelativeAttention {
    Op.check(of.queries() == Queries.ALL, "RelativeAttention: every token asks, not %s", of.queries());
  }

  @Override public Spec[] outputs(Spec... in) {
    Op.arity(this, in, table() + 1);
    Spec[] out = of.outputs(Arrays.copyOf(in, table()));
    RelativeScores.checkTable(this, of.heads(), in[table()], in[0]);
    return out;
  }

  /** The table's place among the inputs. */
  private int table() {
    return of.probability() > 0 ? 6 : 4;
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value a = in[table()];
    Value s = r.emit1(new RelativeScores(of.heads(), of.longest()), in[0], in[1], a, in[3]);
    Value[] p = r.emit(new AttentionSoftmax(), s, in[3]);
    return new Value[] {r.emit1(new RelativeContext(of.heads()), of.drop(r, p[0], in, 3), in[2], a, in[3]), p[1]};
  }

  @Override public void backward(Gradients g) {
    Value[] in = new Value[table() + 4];
    Arrays.setAll(in, i -> switch (i) {
      case 0 -> g.gradOf(0);
      case 1, 2, 3 -> g.in(i - 1);
      case 4, 5 -> g.out(i - 4);
      default -> g.in(i - 3);
    });
    Value[] d = g.emit(new Grad(this), in);
    for (int i = 0; i < 3; i++) if (g.wants(i)) g.give(i, d[i]);
    if (g.wants(table())) g.give(table(), d[3]);
  }

  @Override public long flops(Spec[] in) {
    return of.flops(in) + 4 * in[0].shape().size() * in[table()].shape().dim(0);
  }

  /** Inputs are those of {@link Attention.Grad}, then the table a; outputs dq, dk, dv, da. */
  public record Grad(RelativeAttention of) implements FusedOp {

    @Override public Spec[] outputs(Spec... in) {
      Op.arity(this, in, table() + 1);
      Spec[] out = Arrays.copyOf(new Attention.Grad(of.of).outputs(Arrays.copyOf(in, table())), 4);
      RelativeScores.checkTable(this, of.of.heads(), in[table()], in[1]);
      out[3] = in[table()];
      return out;
    }

    private int table() {
      return of.table() + 3;
    }

    @Override public Value[] decompose(Recorder r, Value... in) {
      Value a = in[table()];
      int heads = of.of.heads();
      Value s = r.emit1(new RelativeScores(heads, of.of.longest()), in[1], in[2], a, in[6]);
      Value p = r.emit(new AttentionSoftmax(), s, in[6])[0];
      Value[] d = r.emit(new RelativeContext.Grad(heads), in[0], of.of.drop(r, p, in, 6), in[3], a, in[6]);
      Value ds = r.emit1(new AttentionSoftmax.Grad(), of.of.drop(r, d[0], in, 6), p, in[6]);
      Value[] qk = r.emit(new RelativeScores.Grad(heads), ds, in[1], in[2], a, in[6]);
      return new Value[] {qk[0], qk[1], d[1], r.emit1(new Add(false), qk[2], d[2])};
    }

    @Override public long flops(Spec[] in) {
      return new Attention.Grad(of.of).flops(in) + 10 * in[1].shape().size() * in[table()].shape().dim(0);
    }
  }
}
