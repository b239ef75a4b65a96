package org.dyr.tests;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.AddBias;
import org.dyr.op.Attention;
import org.dyr.op.BiasActivation;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.LayerNorm;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.op.RelativeAttention;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * One row of {@link OpCases}: an op and how its operands are made.
 *
 * @param remark the edge that the row stands for, or empty
 */
record OpCase(Op op, String remark, List<Arg> in) {

  /** Every draw starts from it; {@code -Ddyr.tests.seed=N} sets another. */
  static final long SEED = Long.getLong("dyr.tests.seed", 20260117);

  static OpCase of(Op op, Arg... in) {
    return new OpCase(op, "", List.of(in));
  }

  static OpCase of(Op op, List<Arg> in) {
    return new OpCase(op, "", List.copyOf(in));
  }

  OpCase on(String edge) {
    return new OpCase(op, edge, in);
  }

  /** Op with its fields, shapes, edge; unique in the table. */
  String name() {
    String fields = op.toString();
    StringBuilder s = new StringBuilder(op.name().replaceAll("\\[.*", ""));
    if (!(op instanceof Update)) s.append(fields.substring(fields.indexOf('[')));
    for (Arg a : in) s.append(' ').append(a.shape());
    return remark.isEmpty() ? s.toString() : s + " " + remark;
  }

  /** The operands in this type; those that stand beside sums in its accumulator's. */
  Spec[] specs(DType floating) {
    Spec[] specs = new Spec[in.size()];
    for (int i = 0; i < specs.length; i++) specs[i] = in.get(i).spec(besideSums(i) ? floating.accumulator() : floating);
    return specs;
  }

  /** The panels that the case makes, or reads as the right operand of a product. */
  Optional<Panels> panels() {
    return op instanceof Panels p ? Optional.of(p)
        : in.stream().flatMap(a -> Panels.of(a.shape()).stream()).findFirst();
  }

  /** Whether input {@code i} is a bias, the weight of a norm, a statistic, or a weight that the op rounds. */
  private boolean besideSums(int i) {
    return op instanceof GemmRounding g ? i == GemmRounding.RIGHT || besideSums(g.of(), i) : besideSums(op, i);
  }

  private static boolean besideSums(Op op, int i) {
    return switch (op) {
      case AddBias _, BiasActivation _ -> i == 1;
      case BiasActivation.Grad _, BiasActivation.GradSumRows _, GemmActivation _ -> i == 2;
      case GemmActivation.Grad _ -> i == 3;
      case Gemm g -> g.bias() && i == 2 || g.wide() && g.residual() && i == g.residualInput();
      case GemmSumRows g -> g.of().wide() && i == 2;
      case LayerNorm _ -> i > 0;
      case LayerNorm.Grad _, DropoutAddLayerNorm.Grad _ -> i > 1;
      case DropoutAddLayerNorm _ -> i > 1;
      case EmbeddingLayerNorm e -> i >= 2 * e.tables();
      case Attention.Grad _, RelativeAttention.Grad _ -> i == 5;
      case AbsorbedAttention _ -> i == 3 || i == 5;
      default -> false;
    };
  }

  /** The elements of every operand, integers too; the same on every call. */
  double[][] draw() {
    Random random = new Random(SEED * 31 + name().hashCode());
    double[][] x = new double[in.size()][];
    for (int i = 0; i < x.length; i++) if (in.get(i).fill() != null) x[i] = in.get(i).draw(random);
    for (int i = 0; i < x.length; i++) {
      Arg.Derived d = in.get(i).derived();
      if (d == null) continue;
      List<Arg> args = new ArrayList<>();
      double[][] from = new double[d.from().length][];
      for (int j = 0; j < from.length; j++) {
        args.add(in.get(d.from()[j]));
        from[j] = x[d.from()[j]];
      }
      x[i] = Oracle.run(OpCase.of(d.op(), args), from)[d.output()];
      for (int j = 0; j < x[i].length; j++) x[i][j] = (float) x[i][j];
    }
    return x;
  }

  /** What a failure adds to its message, to draw the same again. */
  String seed() {
    return "   (-Ddyr.tests.seed=" + SEED + ")";
  }

  @Override public String toString() {
    return name();
  }
}
