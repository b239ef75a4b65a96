package org.dyr.tests;

import static org.dyr.tests.Arg.ints;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.dyr.kernels.cuda.Pointwise;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.Attention;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.BiasActivation;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gather;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.KeepingOp;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Queries;
import org.dyr.op.Recorder;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.DType;

/** The unfused form of every row of the fusion table. A new row needs a sample here. */
final class FusionSamples {
  private static final double EPS = 1e-6;
  private static final Arg ROWS = ints(4, 4, 9, 9, 9);
  private static final Arg PLACES = ints(0, 1, 0, 1, 2);
  private static final Arg OFFSETS = ints(0, 2, 5);

  private FusionSamples() {}

  /**
   * One pattern.
   *
   * @param row the fusion's name
   * @param makes whether an op is the one that the pattern becomes
   * @param hasGradient whether the pattern can be differentiated
   */
  record Sample(String row, String remark, Predicate<Op> makes, boolean hasGradient, List<Arg> in, Body body) {

    Sample(String row, String remark, Class<? extends Op> makes, boolean hasGradient, List<Arg> in, Body body) {
      this(row, remark, (Predicate<Op>) makes::isInstance, hasGradient, in, body);
    }

    @Override public String toString() {
      return row + (remark.isEmpty() ? "" : ", " + remark);
    }
  }

  /** Records the pattern. */
  interface Body {
    Recorded record(Recorder r, Value... in);
  }

  /** What a pattern gives, and the values inside of it that its fusion makes disappear. */
  record Recorded(Value result, List<Value> inner) {}

  static List<Sample> all() {
    return List.of(
        attention("", Queries.ALL, 0, false), attention("dropout", Queries.ALL, 0.5, true),
        attention("dropout of nothing", Queries.ALL, 0, true), attention("first tokens ask", Queries.FIRST, 0, false),
        attention("first tokens ask, dropout", Queries.FIRST, 0.5, true),
        relative("", 0, false), relative("dropout", 0.5, true), relative("dropout of nothing", 0, true),
        absorbed(),
        new Sample("bias-activation", "", BiasActivation.class, true, List.of(Arg.of(5, 7), Arg.of(7)), (r, in) -> {
          Value u = r.emit1(new AddBias(), in);
          return new Recorded(r.emit1(new Activation(Activation.Kind.GELU), u), List.of(u));
        }),
        embeddings("two tables", 2, false), embeddings("three tables", 3, false), embeddings("rounded", 3, true),
        layerNorm("", 0, false), layerNorm("dropout", 0.5, true), layerNorm("dropout of nothing", 0, true),
        biasLayerNorm("", 0, false), biasLayerNorm("dropout", 0.5, true), biasLayerNorm("dropout of nothing", 0, true),
        matMulActivation("", false), matMulActivation("product kept", true),
        new Sample("matmul-activation-grad", "", GemmActivation.Grad.class, false,
            List.of(Arg.of(5, 3), Arg.of(3, 7), Arg.of(5, 7), Arg.of(7)), (r, in) -> {
          Value dy = r.emit1(new MatMul(false, false), in[0], in[1]);
          Value dx = r.emit1(new BiasActivation.Grad(Activation.Kind.GELU), dy, in[2], in[3]);
          return new Recorded(dx, List.of(dy));
        }),
        new Sample("bias-activation-sum-rows", "", BiasActivation.GradSumRows.class, false,
            List.of(Arg.of(5, 7), Arg.of(5, 7), Arg.of(7)), (r, in) -> {
          Value dx = r.emit1(new BiasActivation.Grad(Activation.Kind.GELU), in[0], in[1], in[2]);
          return new Recorded(r.emit1(new SumRows(), dx), List.of(dx));
        }),
        new Sample("matmul-wide", "", MatMul.class, true, List.of(Arg.of(5, 3), Arg.of(3, 7)), (r, in) -> {
          Value c = r.emit1(new MatMul(false, false), in[0], in[1]);
          return new Recorded(r.emit1(new Cast(c.spec().type()), c), List.of(c));
        }),
        new Sample("matmul-bias", "", Gemm.class, true, List.of(Arg.of(5, 3), Arg.of(7, 3), Arg.of(7)), (r, in) -> {
          Value c = r.emit1(new MatMul(false, true), in[0], in[1]);
          return new Recorded(r.emit1(new AddBias(), c, in[2]), List.of(c));
        }),
        pointwise("", true, (r, in) -> {
          Value kept = r.emit1(new Dropout(0.5, 1), in[0], in[3], in[4], in[5]);
          Value h = r.emit1(new Add(false), kept, in[1]);
          return new Recorded(r.emit1(new AddBias(), h, in[2]), List.of(kept, h));
        }),
        pointwise("behind another fusion", false, (r, in) -> {
          Value f = r.emit1(new Activation(Activation.Kind.GELU), r.emit1(new AddBias(), in[0], in[2]));
          Value h = r.emit1(new Add(false), in[1], f);
          return new Recorded(r.emit1(new Dropout(0.5, 1), h, in[3], in[4], in[5]), List.of(f, h));
        }),
        matMulAdd("product first", true), matMulAdd("product second", false),
        new Sample("matmul-sum-rows", "", GemmSumRows.class, false, List.of(Arg.of(3, 5), Arg.of(3, 7)), (r, in) -> {
          r.emit1(new SumRows(), in[0]);
          return new Recorded(r.emit1(new MatMul(true, false), in[0], in[1]), List.of());
        }),
        new Sample("matmul-accumulate", "", Gemm.class, false, List.of(Arg.of(3, 5), Arg.of(3, 7), Arg.of(5, 7)),
            (r, in) -> {
          Value c = r.emit1(new MatMul(true, false), in[0], in[1]);
          return new Recorded(r.emit1(new Add(true), in[2], c), List.of(c));
        }),
        new Sample("matmul-rounding", "", GemmRounding.class, false, List.of(Arg.of(5, 7), Arg.of(7, 7)), (r, in) -> {
          Value w = r.emit1(new Cast(in[1].spec().type().accumulator()), in[1]);
          Value x = r.emit1(new MatMul(false, true), in[0], w);
          return new Recorded(r.emit1(new MatMul(false, false), x, w), List.of(w));
        }),
        unreadOutputs("layer norm", new DropoutAddLayerNorm(0, 0, EPS, false), Arg.of(5, 7), Arg.of(5, 7), Arg.of(7),
            Arg.of(7)));
  }

  private static Sample attention(String remark, Queries queries, double p, boolean drop) {
    Arg q = Arg.of(queries.rows(5, 2), 6), x = Arg.of(5, 6);
    return new Sample("attention", remark, Attention.class, true,
        List.of(q, x, x, OFFSETS, OpCases.RANDOM, ints(8, 2)), (r, in) -> {
          Value s = r.emit1(new AttentionScores(2, 3, queries), in[0], in[1], in[3]);
          Value share = r.emit(new AttentionSoftmax(queries), s, in[3])[0];
          Value kept = drop ? r.emit1(new AttentionDropout(p, 1, queries), share, in[4], in[3], in[5]) : share;
          Value o = r.emit1(new AttentionContext(2, queries), kept, in[2], in[3]);
          return new Recorded(o, drop ? List.of(s, share, kept) : List.of(s, share));
        });
  }

  private static Sample absorbed() {
    Arg w = Arg.of(32, 32), b = Arg.of(32);
    return new Sample("absorbed-attention", "", AbsorbedAttention.class, false,
        List.of(Arg.of(2, 32), Arg.of(5, 32), w, b, w, b, OFFSETS), (r, in) -> {
          Value k = r.emit1(new AddBias(), r.emit1(new MatMul(false, true), in[1], in[2]), in[3]);
          Value v = r.emit1(new AddBias(), r.emit1(new MatMul(false, true), in[1], in[4]), in[5]);
          Value s = r.emit1(new AttentionScores(2, 3, Queries.FIRST), in[0], k, in[6]);
          Value[] p = r.emit(new AttentionSoftmax(Queries.FIRST), s, in[6]);
          Value o = r.emit1(new AttentionContext(2, Queries.FIRST), p[0], v, in[6]);
          return new Recorded(o, List.of(k, v, s, p[0], p[1]));
        });
  }

  private static Sample relative(String remark, double p, boolean drop) {
    Arg x = Arg.of(5, 6);
    return new Sample("relative-attention", remark, RelativeAttention.class, true,
        List.of(x, x, x, OFFSETS, OpCases.RANDOM, ints(8, 2), Arg.of(3, 3)), (r, in) -> {
          Value s = r.emit1(new RelativeScores(2, 3), in[0], in[1], in[6], in[3]);
          Value share = r.emit(new AttentionSoftmax(), s, in[3])[0];
          Value kept = drop ? r.emit1(new AttentionDropout(p, 1), share, in[4], in[3], in[5]) : share;
          Value o = r.emit1(new RelativeContext(2), kept, in[2], in[6], in[3]);
          return new Recorded(o, drop ? List.of(s, share, kept) : List.of(s, share));
        });
  }

  private static Sample embeddings(String remark, int tables, boolean rounded) {
    Predicate<Op> makes = op -> op instanceof EmbeddingLayerNorm e && e.to().isPresent() == rounded;
    return new Sample("embeddings", remark, makes, !rounded, OpCases.embedded(tables, 5, 7), (r, in) -> {
      List<Value> inner = new ArrayList<>();
      Value h = r.emit1(new Gather(), in[0], in[1]);
      for (int t = 1; t < tables; t++) {
        inner.add(h);
        inner.add(r.emit1(new Gather(), in[2 * t], in[2 * t + 1]));
        h = r.emit1(new Add(false), h, inner.getLast());
      }
      inner.add(h);
      Value[] y = r.emit(new LayerNorm(EPS), h, in[2 * tables], in[2 * tables + 1]);
      if (!rounded) return new Recorded(y[0], inner);
      inner.addAll(List.of(y));
      return new Recorded(r.emit1(new Cast(DType.BF16), y[0]), inner);
    });
  }

  private static Sample layerNorm(String remark, double p, boolean drop) {
    Arg x = Arg.of(5, 7), c = Arg.of(7);
    return new Sample("dropout-add-layernorm", remark, DropoutAddLayerNorm.class, true,
        List.of(x, x, c, c, OpCases.RANDOM, ROWS, PLACES), (r, in) -> {
          Value kept = drop ? r.emit1(new Dropout(p, 1), in[0], in[4], in[5], in[6]) : in[0];
          Value h = r.emit1(new Add(false), kept, in[1]);
          Value y = r.emit(new LayerNorm(EPS), h, in[2], in[3])[0];
          return new Recorded(y, drop ? List.of(h, kept) : List.of(h));
        });
  }

  private static Sample biasLayerNorm(String remark, double p, boolean drop) {
    Predicate<Op> makes = op -> op instanceof DropoutAddLayerNorm n && n.bias();
    Sample rest = layerNorm(remark, p, drop);
    List<Arg> in = new ArrayList<>(rest.in());
    in.add(Arg.of(7));
    return new Sample("bias-dropout-add-layernorm", remark, makes, true, in, (r, values) -> {
      Value[] behind = Arrays.copyOf(values, 7);
      behind[0] = r.emit1(new AddBias(), values[0], values[7]);
      Recorded y = rest.body().record(r, behind);
      List<Value> inner = new ArrayList<>(y.inner());
      inner.add(behind[0]);
      return new Recorded(y.result(), inner);
    });
  }

  /** The end of a half of an encoder layer: a product, its bias, dropout, residual, norm. */
  static Sample productIntoNorm() {
    Sample rest = biasLayerNorm("product", 0.5, true);
    List<Arg> in = new ArrayList<>(rest.in());
    in.set(0, Arg.of(5, 3));
    in.add(Arg.of(7, 3));
    return new Sample(rest.row(), rest.remark(), rest.makes(), true, in, (r, values) -> {
      Value[] behind = Arrays.copyOf(values, 8);
      behind[0] = r.emit1(new MatMul(false, true), values[0], values[8]);
      return rest.body().record(r, behind);
    });
  }

  private static Sample unreadOutputs(String remark, KeepingOp op, Arg... in) {
    Predicate<Op> makes = op.unkept()::equals;
    return new Sample("unread-outputs", remark, makes, false, List.of(in), (r, values) -> {
      List<Value> out = List.of(r.emit(op, values));
      return new Recorded(out.getFirst(), out.subList(1, out.size()));
    });
  }

  private static Sample matMulActivation(String remark, boolean kept) {
    return new Sample("matmul-activation", remark, GemmActivation.class, kept,
        List.of(Arg.of(5, 3), Arg.of(7, 3), Arg.of(7)), (r, in) -> {
      Value u = r.emit1(new MatMul(false, true), in[0], in[1]);
      return new Recorded(r.emit1(new BiasActivation(Activation.Kind.GELU), u, in[2]), kept ? List.of(u) : List.of());
    });
  }

  private static Sample pointwise(String remark, boolean hasGradient, Body body) {
    Arg x = Arg.of(5, 7);
    return new Sample("pointwise", remark, Pointwise.class, hasGradient,
        List.of(x, x, Arg.of(7), OpCases.RANDOM, ROWS, PLACES), body);
  }

  private static Sample matMulAdd(String remark, boolean productFirst) {
    return new Sample("matmul-add", remark, Gemm.class, true, List.of(Arg.of(5, 3), Arg.of(3, 7), Arg.of(5, 7)),
        (r, in) -> {
      Value c = r.emit1(new MatMul(false, false), in[0], in[1]);
      Value sum = productFirst ? r.emit1(new Add(false), c, in[2]) : r.emit1(new Add(false), in[2], c);
      return new Recorded(sum, List.of(c));
    });
  }
}
