package org.dyr.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.graph.Fusion.Rewrite;
import org.dyr.graph.Fusion.Stage;
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
import org.dyr.op.Queries;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.SumRows;
import org.dyr.op.Value;
import org.dyr.tensor.Spec;

/**
 * The fusion table. Rows are tried in order; a row applies where its pattern stands, nothing else reads the values that
 * would disappear, and the device has a kernel for the fused op. Further rows come from {@link Provider}s on the path.
 */
public final class Fusions {

  /** How another module adds rows; found by {@link ServiceLoader}. */
  public interface Provider {
    List<Fusion> rows();
  }

  private static final List<Fusion> TABLE = List.of(
      new Fusion("attention", Fusions::attention),
      new Fusion("relative-attention", Fusions::relativeAttention),
      new Fusion("absorbed-attention", Stage.LAST, Fusions::absorbedAttention),
      new Fusion("bias-activation", Fusions::biasActivation),
      new Fusion("embeddings", Fusions::embeddings),
      new Fusion("bias-dropout-add-layernorm", Fusions::biasDropoutAddLayerNorm),
      new Fusion("dropout-add-layernorm", Fusions::dropoutAddLayerNorm),
      new Fusion("matmul-activation", Stage.LAST, Fusions::matMulActivation),
      new Fusion("matmul-activation-grad", Stage.LAST, Fusions::matMulActivationGrad),
      new Fusion("bias-activation-sum-rows", Stage.LAST, Fusions::biasActivationSumRows),
      new Fusion("matmul-wide", Fusions::matMulWide),
      new Fusion("matmul-bias", Fusions::matMulBias),
      new Fusion("matmul-add", Fusions::matMulAdd),
      new Fusion("matmul-accumulate", Fusions::matMulAccumulate),
      new Fusion("matmul-sum-rows", Stage.LAST, Fusions::matMulSumRows),
      new Fusion("matmul-rounding", Stage.LAST, Fusions::matMulRounding),
      new Fusion("unread-outputs", Stage.LAST, Fusions::unreadOutputs));

  private Fusions() {}

  /** All rows: this table's, then the providers'. */
  public static List<Fusion> table() {
    List<Fusion> rows = new ArrayList<>(TABLE);
    ServiceLoader.load(Provider.class, Fusions.class.getClassLoader()).forEach(p -> rows.addAll(p.rows()));
    return rows;
  }

  /**
   * Rewrites the graph wherever a row applies.
   *
   * @param stage of rows that are {@link Stage#LAST}: whether the graph is complete
   * @param off names of rows to leave out
   * @throws IllegalArgumentException when a name to leave out is no row's
   */
  public static void apply(Graph graph, Backend backend, Stage stage, Set<String> off) {
    List<Fusion> rows = table();
    List<String> names = rows.stream().map(Fusion::name).toList();
    for (String name : off) {
      if (!names.contains(name)) throw new IllegalArgumentException("no fusion '%s'; there are %s".formatted(name, names));
    }
    for (Fusion row : rows) {
      if (row.stage().compareTo(stage) <= 0 && !off.contains(row.name())) apply(graph, backend, row);
    }
  }

  private static void apply(Graph graph, Backend backend, Fusion row) {
    Readers readers = new Readers(graph);
    for (int i = 0; i < graph.nodes().size(); i++) {
      Optional<Rewrite> found = row.pattern().match(readers, graph.nodes().get(i));
      if (found.isEmpty() || !isSupported(backend, found.get())) continue;
      List<Node> nodes = new ArrayList<>(graph.nodes());
      Rewrite r = found.get();
      Node made = new Node(r.op(), r.in(), r.out(), nodes.get(i).path());
      nodes.set(i, made);
      nodes.removeIf(n -> r.replaced().stream().anyMatch(gone -> gone == n));
      graph.replaceNodes(nodes);
      readers = new Readers(graph);
      i = nodes.indexOf(made);
    }
  }

  private static boolean isSupported(Backend backend, Rewrite r) {
    Spec[] in = r.in().stream().map(Value::spec).toArray(Spec[]::new);
    return backend.choose(r.op(), in).isPresent();
  }

  /** scores, softmax, (dropout,) context. */
  private static Optional<Rewrite> attention(Readers g, Node last) {
    if (!(last.op() instanceof AttentionContext context)) return Optional.empty();
    Optional<Node> drop = g.inner(last.in().get(0), AttentionDropout.class);
    return g.inner(drop.map(d -> d.in().get(0)).orElse(last.in().get(0)), AttentionSoftmax.class)
        .flatMap(softmax -> g.inner(softmax.in().get(0), AttentionScores.class).map(scores -> {
          List<Node> replaced = new ArrayList<>(List.of(scores, softmax, last));
          List<Value> in = values(scores.in().get(0), scores.in().get(1), last.in().get(1), scores.in().get(2));
          AttentionDropout d = drop.map(n -> (AttentionDropout) n.op()).orElse(new AttentionDropout(0, 0));
          drop.ifPresent(replaced::add);
          if (d.probability() > 0) in.addAll(List.of(drop.get().in().get(1), drop.get().in().get(3)));
          int longest = ((AttentionScores) scores.op()).longest();
          Attention of = new Attention(context.heads(), longest, d.probability(), d.site(), context.queries());
          return new Rewrite(replaced, of, in, List.of(last.out().get(0), softmax.out().get(1)));
        }));
  }

  /** The same with distances: scores and context of one table. */
  private static Optional<Rewrite> relativeAttention(Readers g, Node last) {
    if (!(last.op() instanceof RelativeContext context)) return Optional.empty();
    Optional<Node> drop = g.inner(last.in().get(0), AttentionDropout.class);
    return g.inner(drop.map(d -> d.in().get(0)).orElse(last.in().get(0)), AttentionSoftmax.class)
        .flatMap(softmax -> g.inner(softmax.in().get(0), RelativeScores.class)
            .filter(scores -> scores.in().get(2).equals(last.in().get(2))).map(scores -> {
              List<Node> replaced = new ArrayList<>(List.of(scores, softmax, last));
              List<Value> in = values(scores.in().get(0), scores.in().get(1), last.in().get(1), scores.in().get(3));
              AttentionDropout d = drop.map(n -> (AttentionDropout) n.op()).orElse(new AttentionDropout(0, 0));
              drop.ifPresent(replaced::add);
              if (d.probability() > 0) in.addAll(List.of(drop.get().in().get(1), drop.get().in().get(3)));
              in.add(last.in().get(2));
              int longest = ((RelativeScores) scores.op()).longest();
              Attention of = new Attention(context.heads(), longest, d.probability(), d.site());
              return new Rewrite(replaced, new RelativeAttention(of), in,
                  List.of(last.out().get(0), softmax.out().get(1)));
            }));
  }

  /** Keys and values of all tokens, for which first tokens alone ask. */
  private static Optional<Rewrite> absorbedAttention(Readers g, Node last) {
    if (!(last.op() instanceof Attention of) || of.queries() != Queries.FIRST) return Optional.empty();
    if (of.probability() > 0 || g.isRead(last.out().get(1))) return Optional.empty();
    return projection(g, last.in().get(1)).flatMap(key -> projection(g, last.in().get(2))
        .filter(value -> value.in().get(0).equals(key.in().get(0)))
        .map(value -> new Rewrite(List.of(key, value, last), new AbsorbedAttention(of.heads(), of.longest()),
            values(last.in().get(0), key.in().get(0), key.in().get(1), key.in().get(2), value.in().get(1),
                value.in().get(2), last.in().get(3)), List.of(last.out().get(0)))));
  }

  private static Optional<Node> projection(Readers g, Value v) {
    return g.inner(v, Gemm.class).filter(n -> n.op().equals(AbsorbedAttention.PROJECTION));
  }

  /** x + b, then f. */
  private static Optional<Rewrite> biasActivation(Readers g, Node last) {
    if (!(last.op() instanceof Activation f)) return Optional.empty();
    return g.inner(last.in().get(0), AddBias.class).map(
        bias -> new Rewrite(List.of(bias, last), new BiasActivation(f.kind()), bias.in(), last.out()));
  }

  /** Rows of tables added up, layer norm; then, where the device has that too, the cast of y. */
  private static Optional<Rewrite> embeddings(Readers g, Node last) {
    if (last.op() instanceof Cast cast) return castEmbeddings(g, cast, last);
    if (!(last.op() instanceof LayerNorm norm)) return Optional.empty();
    List<Node> replaced = new ArrayList<>(List.of(last));
    List<Value> in = values(last.in().get(1), last.in().get(2));
    Value h = last.in().get(0), sum = h;
    int tables = 1;
    for (Optional<Node> add; (add = g.inner(sum, Add.class)).isPresent(); tables++) {
      Optional<Node> row = g.inner(add.get().in().get(1), Gather.class);
      if (row.isEmpty() || ((Add) add.get().op()).inPlace()) return Optional.empty();
      replaced.addAll(List.of(add.get(), row.get()));
      in.addAll(0, row.get().in());
      sum = add.get().in().get(0);
    }
    Optional<Node> first = g.inner(sum, Gather.class);
    if (tables < 2 || first.isEmpty()) return Optional.empty();
    replaced.add(first.get());
    in.addAll(0, first.get().in());
    return Optional.of(new Rewrite(replaced, new EmbeddingLayerNorm(tables, norm.eps(), Optional.empty(), true), in,
        List.of(last.out().get(0), h, last.out().get(1), last.out().get(2))));
  }

  private static Optional<Rewrite> castEmbeddings(Readers g, Cast cast, Node last) {
    return g.inner(last.in().get(0), EmbeddingLayerNorm.class).flatMap(norm -> {
      EmbeddingLayerNorm op = (EmbeddingLayerNorm) norm.op();
      List<Value> kept = norm.out().subList(1, norm.out().size()), out = values(last.out().get(0));
      out.addAll(kept);
      // A reader of what is kept may stand before the cast.
      if (op.to().isPresent() || kept.stream().anyMatch(g::isRead)) return Optional.empty();
      return Optional.of(new Rewrite(List.of(norm, last), op.to(cast.to()), norm.in(), out));
    });
  }

  /** + bias, (dropout,) + residual, layer norm: before a product takes the bias, whose gradient then is a pass more. */
  private static Optional<Rewrite> biasDropoutAddLayerNorm(Readers g, Node last) {
    return dropoutAddLayerNorm(g, last).flatMap(norm -> g.inner(norm.in().get(0), AddBias.class).map(add -> {
      DropoutAddLayerNorm op = (DropoutAddLayerNorm) norm.op();
      List<Node> replaced = new ArrayList<>(norm.replaced());
      replaced.add(add);
      List<Value> in = new ArrayList<>(norm.in());
      in.set(0, add.in().get(0));
      in.add(add.in().get(1));
      return new Rewrite(replaced, new DropoutAddLayerNorm(op.probability(), op.site(), op.eps(), true), in,
          norm.out());
    }));
  }

  /** (dropout,) + residual, layer norm. */
  private static Optional<Rewrite> dropoutAddLayerNorm(Readers g, Node last) {
    if (!(last.op() instanceof LayerNorm norm)) return Optional.empty();
    return g.inner(last.in().get(0), Add.class).filter(add -> !((Add) add.op()).inPlace()).map(add -> {
      Optional<Node> drop = g.inner(add.in().get(0), Dropout.class);
      List<Node> replaced = new ArrayList<>(List.of(add, last));
      List<Value> in = values(drop.map(d -> d.in().get(0)).orElse(add.in().get(0)), add.in().get(1), last.in().get(1),
          last.in().get(2));
      Dropout d = drop.map(n -> (Dropout) n.op()).orElse(new Dropout(0, 0));
      drop.ifPresent(replaced::add);
      if (d.probability() > 0) in.addAll(drop.get().in().subList(1, 4));
      return new Rewrite(replaced, new DropoutAddLayerNorm(d.probability(), d.site(), norm.eps(), false), in,
          List.of(last.out().get(0), add.out().get(0), last.out().get(1), last.out().get(2)));
    });
  }

  /** a b, then f(+ bias); the product is kept where more than the activation reads it. */
  private static Optional<Rewrite> matMulActivation(Readers g, Node last) {
    if (!(last.op() instanceof BiasActivation f)) return Optional.empty();
    Value u = last.in().get(0);
    return g.madeFor(last, u, MatMul.class).filter(product -> !((MatMul) product.op()).wide()).map(product -> {
      MatMul m = (MatMul) product.op();
      boolean kept = g.inner(u, MatMul.class).isEmpty();
      Value y = last.out().get(0);
      return new Rewrite(List.of(product, last), new GemmActivation(m.transposeA(), m.transposeB(), f.kind(), kept),
          values(product.in().get(0), product.in().get(1), last.in().get(1)), kept ? List.of(y, u) : List.of(y));
    });
  }

  /** a b, then back through the activation. */
  private static Optional<Rewrite> matMulActivationGrad(Readers g, Node last) {
    if (!(last.op() instanceof BiasActivation.Grad f)) return Optional.empty();
    return g.inner(last.in().get(0), MatMul.class).filter(product -> !((MatMul) product.op()).wide()).map(product -> {
      MatMul m = (MatMul) product.op();
      return new Rewrite(List.of(product, last), new GemmActivation.Grad(m.transposeA(), m.transposeB(), f.kind()),
          values(product.in().get(0), product.in().get(1), last.in().get(1), last.in().get(2)), last.out());
    });
  }

  /** Back through an activation, then the sum of the rows, the gradient of the bias. */
  private static Optional<Rewrite> biasActivationSumRows(Readers g, Node last) {
    if (!(last.op() instanceof SumRows)) return Optional.empty();
    Value dx = last.in().get(0);
    return g.madeFor(last, dx, BiasActivation.Grad.class).map(grad -> new Rewrite(List.of(grad, last),
        new BiasActivation.GradSumRows(((BiasActivation.Grad) grad.op()).kind()), grad.in(),
        List.of(dx, last.out().get(0))));
  }

  /** a b rounded to 16 bits and widened again, as the gradient of a rounded weight is: not rounded at all. */
  private static Optional<Rewrite> matMulWide(Readers g, Node last) {
    if (!(last.op() instanceof Cast cast)) return Optional.empty();
    return g.inner(last.in().get(0), MatMul.class)
        .filter(product -> product.out().get(0).spec().type().accumulator() == cast.to())
        .map(product -> {
          MatMul m = (MatMul) product.op();
          return new Rewrite(List.of(product, last), new MatMul(m.transposeA(), m.transposeB(), true), product.in(),
              last.out());
        });
  }

  /** a b, then + bias. */
  private static Optional<Rewrite> matMulBias(Readers g, Node last) {
    if (!(last.op() instanceof AddBias)) return Optional.empty();
    return g.inner(last.in().get(0), MatMul.class).map(product -> {
      MatMul m = (MatMul) product.op();
      return new Rewrite(List.of(product, last), new Gemm(m.transposeA(), m.transposeB(), true, false, false, m.wide()),
          values(product.in().get(0), product.in().get(1), last.in().get(1)), last.out());
    });
  }

  /** a b added to something, as the input gradients of query, key and value are. */
  private static Optional<Rewrite> matMulAdd(Readers g, Node last) {
    if (!(last.op() instanceof Add add) || add.inPlace()) return Optional.empty();
    for (int i : new int[] {1, 0}) {
      Optional<Node> product = g.inner(last.in().get(i), MatMul.class);
      if (product.isPresent()) return Optional.of(withResidual(product.get(), last, last.in().get(1 - i), false));
    }
    return Optional.empty();
  }

  /** a b added to a gradient in its place. */
  private static Optional<Rewrite> matMulAccumulate(Readers g, Node last) {
    if (!(last.op() instanceof Add add) || !add.inPlace()) return Optional.empty();
    return g.inner(last.in().get(1), MatMul.class).map(product -> withResidual(product, last, last.in().get(0), true));
  }

  /** The sum of the rows of a, and a^T b: a bias's gradient and its weight's. The sum comes first; the product with it. */
  private static Optional<Rewrite> matMulSumRows(Readers g, Node last) {
    if (!(last.op() instanceof SumRows)) return Optional.empty();
    Value a = last.in().get(0);
    for (Node n : g.of(a)) {
      Gemm product = switch (n.op()) {
        case MatMul m -> Gemm.of(m);
        case Gemm m -> m;
        default -> null;
      };
      if (product == null || !n.in().get(0).equals(a)) continue;
      if (!product.transposeA() || product.transposeB() || product.bias()) continue;
      if (!g.existAt(last, n.in()) || !g.isReadBehind(last, n.out().get(0))) continue;
      return Optional.of(new Rewrite(List.of(n, last), new GemmSumRows(product), n.in(),
          List.of(n.out().get(0), last.out().get(0))));
    }
    return Optional.empty();
  }

  /** A weight rounded for products alone: each rounds it itself, and with the last of them the copy goes. */
  private static Optional<Rewrite> matMulRounding(Readers g, Node last) {
    if (!multiplies(last)) return Optional.empty();
    Value b = last.in().get(GemmRounding.RIGHT);
    return g.madeOnlyFor(b, Cast.class, n -> multiplies(n) && !n.in().get(0).equals(b))
        .filter(cast -> cast.in().get(0).spec().type() == b.spec().type().accumulator()).map(cast -> {
          List<Value> in = new ArrayList<>(last.in());
          in.set(GemmRounding.RIGHT, cast.in().get(0));
          return new Rewrite(g.of(b).size() == 1 ? List.of(cast, last) : List.of(last), new GemmRounding(last.op()), in,
              last.out());
        });
  }

  private static boolean multiplies(Node n) {
    return n.op() instanceof MatMul || n.op() instanceof Gemm || n.op() instanceof GemmActivation
        || n.op() instanceof GemmActivation.Grad;
  }

  /** What is kept for a backward, and there is none. */
  private static Optional<Rewrite> unreadOutputs(Readers g, Node last) {
    if (!(last.op() instanceof KeepingOp op) || !op.kept()) return Optional.empty();
    List<Value> out = last.out();
    if (out.subList(1, out.size()).stream().anyMatch(g::isRead)) return Optional.empty();
    return Optional.of(new Rewrite(List.of(last), op.unkept(), last.in(), out.subList(0, 1)));
  }

  private static Rewrite withResidual(Node product, Node last, Value residual, boolean inPlace) {
    MatMul m = (MatMul) product.op();
    return new Rewrite(List.of(product, last), new Gemm(m.transposeA(), m.transposeB(), false, true, inPlace, m.wide()),
        values(product.in().get(0), product.in().get(1), residual), last.out());
  }

  private static List<Value> values(Value... v) {
    return new ArrayList<>(Arrays.asList(v));
  }
}
