package org.dyr.tests;

import static org.dyr.tests.Arg.derived;
import static org.dyr.tests.Arg.filled;
import static org.dyr.tests.Arg.ints;
import static org.dyr.tests.Arg.uniform;
import static org.dyr.tests.Arg.values;
import static org.dyr.tests.OpCase.of;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.DoubleStream;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.AllFinite;
import org.dyr.op.AllGather;
import org.dyr.op.BiasActivation;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.ClipFactor;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gather;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.IfFinite;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;

/**
 * The table of op cases: every op of the catalogue and every fused op, forward and gradient, at sizes that bracket a
 * vector (31, 32, 33) and a tile (63, 64, 65), at the model's own, and at the edges that its formula has. Attention's
 * rows and the optimizers' stand in {@link AttentionCases} and {@link UpdateCases}.
 */
final class OpCases {
  static final int[] SIZES = {1, 31, 32, 33, 63, 64, 65};
  private static final double EPS = 1e-12;

  private final List<OpCase> cases = new ArrayList<>();

  private OpCases() {}

  /** The whole table. */
  static List<OpCase> all() {
    OpCases table = new OpCases();
    table.products();
    table.elementwise();
    table.sums();
    table.activations();
    table.gathers();
    table.layerNorms();
    table.embeddings();
    table.panels();
    table.dropouts();
    table.groupCrossEntropy();
    table.cases.addAll(AttentionCases.all());
    table.cases.addAll(UpdateCases.all());
    return List.copyOf(table.cases);
  }

  private void add(OpCase... rows) {
    cases.addAll(List.of(rows));
  }

  /** M, N, K: one element, vectors and tiles missed by one, a single column (the classifier), a single row. */
  private static final int[][] PRODUCTS = {
    {1, 1, 1}, {31, 33, 32}, {33, 64, 65}, {65, 1, 63}, {1, 65, 33}, {64, 63, 31}, {7, 130, 129}
  };

  private void products() {
    boolean[] both = {false, true};
    for (boolean ta : both) {
      for (boolean tb : both) {
        for (int[] s : PRODUCTS) add(product(ta, tb, s[0], s[1], s[2]));
        for (boolean bias : both) {
          for (boolean residual : both) {
            for (boolean inPlace : residual ? both : new boolean[] {false}) {
              for (int[] s : PRODUCTS) add(gemm(new Gemm(ta, tb, bias, residual, inPlace), s[0], s[1], s[2]));
            }
          }
        }
      }
    }
    // Of two threads one has less than 10^6 multiply-adds, below which OpenBLAS rounds otherwise, the other more.
    add(product(false, true, 4, 112, 4700).on("parts of unequal columns"));
    add(product(false, true, 12, 768, 768), product(true, false, 192, 768, 32), product(false, false, 32, 192, 768));
    add(gemm(new Gemm(false, true, true, false, false), 32, 192, 768));
    add(gemm(new Gemm(true, false, false, true, true), 192, 768, 32));
    for (int[] s : PRODUCTS) {
      add(of(new MatMul(true, false, true), left(true, s[0], s[2]), right(false, s[2], s[1])));
      add(gemm(new Gemm(true, false, true, true, true, true), s[0], s[1], s[2]));
    }
    for (boolean residual : both) {
      Gemm of = new Gemm(true, false, false, residual, residual, residual);
      for (int[] s : PRODUCTS) add(of(new GemmSumRows(of), gemm(of, s[0], s[1], s[2]).in()));
      add(of(new GemmSumRows(of), gemm(of, 30, 40, 4100).in()).on("depth in parts"));
      add(of(new GemmSumRows(of), gemm(of, 768, 96, 64).in()));
    }
    for (Activation.Kind kind : Activation.Kind.values()) {
      for (int[] s : PRODUCTS) activated(kind, s[0], s[1], s[2], "");
      activated(kind, 32, 192, 768, "");
    }
    activated(Activation.Kind.GELU, 17, 40, 1600, "depth in parts");
    activated(Activation.Kind.GELU, 700, 33, 40, "several blocks of rows");
    roundings();
    add(product(true, false, 3, 40, 9001).on("depth in parts"));
    add(gemm(new Gemm(false, true, true, true, false), 17, 5, 4097).on("depth in parts"));
    add(gemm(new Gemm(true, false, false, true, true), 29, 40, 4100).on("depth in parts"));
    add(product(false, true, 700, 33, 515).on("several blocks of rows"));
    add(product(false, true, 700, 33, 516).on("several blocks of rows, of whole pairs"));
    for (int k : new int[] {1024, 2048}) add(product(false, true, 31, 33, k).on("rows pages apart, in fp32 or 16 bits"));
  }

  /** Products of every kind, and b both ways, that round b themselves. */
  private void roundings() {
    for (int[] s : PRODUCTS) {
      int m = s[0], n = s[1], k = s[2];
      Arg a = left(false, m, k), c = Arg.of(m, n), bias = Arg.of(n);
      for (boolean tb : new boolean[] {false, true}) add(of(new GemmRounding(new MatMul(false, tb)), a, right(tb, k, n)));
      add(of(new GemmRounding(new Gemm(false, true, true, true, false)), a, right(true, k, n), bias, c));
      for (boolean kept : new boolean[] {false, true}) {
        Op of = new GemmActivation(false, true, Activation.Kind.GELU, kept);
        add(of(new GemmRounding(of), a, right(true, k, n), bias));
      }
      Op of = new GemmActivation.Grad(false, false, Activation.Kind.GELU);
      add(of(new GemmRounding(of), a, right(false, k, n), c, bias));
    }
    add(of(new GemmRounding(new Gemm(false, true, true, false, false)), left(false, 32, 768), right(true, 768, 192),
        Arg.of(192)));
    add(of(new GemmRounding(new MatMul(false, false)), left(false, 3, 4097), right(false, 4097, 5)).on("depth in parts"));
  }

  /** Weights laid out as each instruction set packs them, in fp32 and in bf16, and the products that read them so. */
  private void panels() {
    for (int columns : new int[] {16, 32}) {
      for (int unit : new int[] {1, 2}) {
        for (int parts : new int[] {1, 3}) {
          int n = 2 * columns, k = 6 * parts * unit;
          Panels p = new Panels(parts, columns, unit);
          add(of(p, Arg.of(n, k)));
          Arg right = Arg.of(parts, 2, 6, columns, unit);
          for (int m : new int[] {1, 3, 65}) {
            add(of(new MatMul(false, true), left(false, m, k), right));
            add(of(new MatMul(true, true), left(true, m, k), right));
            add(of(new Gemm(false, true, true, true, false), left(false, m, k), right, Arg.of(n), Arg.of(m, n)));
            add(of(new GemmActivation(false, true, Activation.Kind.GELU, false), left(false, m, k), right, Arg.of(n)));
          }
        }
      }
    }
    add(of(new Panels(2, 32, 1), Arg.of(96, 1536)),
        of(new MatMul(false, true), left(false, 40, 1536), Arg.of(2, 3, 768, 32, 1)));
  }

  /** A product with an activation behind it, and the product that brings its gradient. */
  private void activated(Activation.Kind kind, int m, int n, int k, String edge) {
    for (boolean kept : new boolean[] {false, true}) {
      add(of(new GemmActivation(false, true, kind, kept), left(false, m, k), right(true, k, n), Arg.of(n)).on(edge));
    }
    add(of(new GemmActivation.Grad(false, false, kind), left(false, m, k), right(false, k, n), uniform(-4, 4, m, n),
        Arg.of(n)).on(edge));
  }

  private static OpCase product(boolean ta, boolean tb, int m, int n, int k) {
    return of(new MatMul(ta, tb), left(ta, m, k), right(tb, k, n));
  }

  private static OpCase gemm(Gemm op, int m, int n, int k) {
    List<Arg> in = new ArrayList<>(List.of(left(op.transposeA(), m, k), right(op.transposeB(), k, n)));
    if (op.bias()) in.add(Arg.of(n));
    if (op.residual()) in.add(Arg.of(m, n));
    return of(op, in);
  }

  private static Arg left(boolean transposed, int m, int k) {
    return transposed ? Arg.of(k, m) : Arg.of(m, k);
  }

  private static Arg right(boolean transposed, int k, int n) {
    return transposed ? Arg.of(n, k) : Arg.of(k, n);
  }

  private void elementwise() {
    for (int n : SIZES) {
      add(of(new AddBias(), Arg.of(3, n), Arg.of(n)));
      add(of(new Add(false), Arg.of(n), Arg.of(n)), of(new Add(true), Arg.of(n), Arg.of(n)));
      add(of(new Scale(), Arg.of(n), Arg.of(1)));
    }
    add(of(new AddBias(), Arg.of(1, 768), Arg.of(768)), of(new AddBias(), Arg.of(2, 3, 5), Arg.of(5)).on("rank 3"));
    for (int n : SIZES) add(of(new Cast(DType.F64), Arg.of(n)));
    add(of(new Add(false), Arg.of(32, 768), Arg.of(32, 768)), of(new Add(true), Arg.of(32, 768), Arg.of(32, 768)));
    add(of(new Scale(), Arg.of(32, 768), Arg.of(1)), of(new Scale(), Arg.of(5), values(0)).on("by zero"));
  }

  private void sums() {
    for (int n : SIZES) {
      add(of(new Sum(), Arg.of(n)), of(new SumSquares(), Arg.of(n)), of(new AllFinite(), Arg.of(n)));
      add(of(new SumRows(), Arg.of(5, n)), of(new SumRows(), Arg.of(n, 3)), of(new Broadcast(Shape.of(n)), Arg.of(1)));
      for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
        add(of(new AllFinite(), filled((r, i) -> i == n - 1 ? bad : i, n)).on(bad + " last"));
        add(of(new AllFinite(), filled((r, i) -> i == n / 2 ? bad : i, n)).on(bad + " inside"));
      }
    }
    add(of(new Sum(), Arg.of(33, 65)), of(new SumRows(), Arg.of(32, 768)),
        of(new SumRows(), Arg.of(3, 5, 7)).on("rank 3"));
    add(of(new SumSquares(), Arg.of(100_003)), of(new SumSquares(), uniform(1e-15, 1e15, 65)).on("1e15 squared"));
    add(of(new AllFinite(), filled((r, i) -> 3e38, 65)).on("large but finite"));
    add(of(new Broadcast(Shape.of(7, 33)), Arg.of(1)));
    for (double x : new double[] {0, -3, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN}) {
      for (int n : new int[] {1, 4, 300}) add(of(new IfFinite(), Arg.of(2, n), values(x)).on("for " + x));
    }
    for (double max : new double[] {0, 1, 1e6}) {
      add(of(new ClipFactor(max), uniform(0, 50, 1), values(1)));
      add(of(new ClipFactor(max), uniform(1e9, 2e9, 1), values(1024)).on("with a loss scale"));
    }
    add(of(new ClipFactor(1), values(Double.POSITIVE_INFINITY), values(2)).on("infinite"));
    add(of(new ClipFactor(1), values(Double.NaN), values(2)).on("NaN"),
        of(new ClipFactor(1), values(0), values(2)).on("zero"));
  }

  /**
   * From where exp underflows on the left to where it does on the right, zero among them, and both signs of a tiny x.
   */
  private static final double[] LARGE = {
    -100, -38, -14, -9.5, -6, -5.5, -4, -3, -1e-6, -1e-30, 0, 1e-30, 1e-6, 3, 4, 5.5, 6, 9.5, 14, 38, 100
  };

  /** The same without the corner of relu, where no difference quotient gives its derivative. */
  private static final double[] LARGE_WITHOUT_CORNER =
      DoubleStream.of(LARGE).filter(x -> Math.abs(x) > 1e-3).toArray();

  private void activations() {
    for (Activation.Kind kind : Activation.Kind.values()) {
      for (int n : SIZES) {
        add(of(new Activation(kind), uniform(-4, 4, n)), of(new Activation.Grad(kind), Arg.of(n), uniform(-4, 4, n)));
        add(of(new BiasActivation(kind), uniform(-4, 4, 3, n), Arg.of(n)));
        add(of(new BiasActivation.Grad(kind), Arg.of(3, n), uniform(-4, 4, 3, n), Arg.of(n)));
        add(of(new BiasActivation.GradSumRows(kind), Arg.of(3, n), uniform(-4, 4, 3, n), Arg.of(n)));
      }
      boolean corner = kind == Activation.Kind.RELU;
      add(of(new Activation(kind), values(corner ? LARGE_WITHOUT_CORNER : LARGE)).on("large x"));
      add(of(new Activation.Grad(kind), filled((r, i) -> 1, LARGE.length), values(LARGE)).on("large x"));
      if (kind == Activation.Kind.GELU_TANH) {
        add(of(new Activation.Grad(kind), filled((r, i) -> 1, 4), values(-1e20, 1e20, -3e18, 3e18)).on("x^2 or x^3 infinite"));
      }
      add(of(new BiasActivation(kind), filled((r, i) -> LARGE[i % LARGE.length], 4, 21), Arg.of(21)).on("large x"));
      add(of(new BiasActivation.Grad(kind), Arg.of(4, 21), filled((r, i) -> LARGE[i % LARGE.length], 4, 21), Arg.of(21))
          .on("large x"));
      add(of(new BiasActivation(kind), uniform(-4, 4, 8, 3072), Arg.of(3072)));
      add(of(new BiasActivation.Grad(kind), Arg.of(9, 3072), uniform(-4, 4, 9, 3072), Arg.of(3072)));
      add(of(new BiasActivation.GradSumRows(kind), Arg.of(9, 3072), uniform(-4, 4, 9, 3072), Arg.of(3072)));
      add(of(new BiasActivation.GradSumRows(kind), Arg.of(700, 8), uniform(-4, 4, 700, 8), Arg.of(8)));
    }
  }

  private void gathers() {
    for (int n : SIZES) {
      Arg repeated = ints(4, 0, 4, 4, 2, 0);
      add(of(new Gather(), Arg.of(5, n), repeated).on("repeated"));
      add(of(new Gather.Grad(5), Arg.of(6, n), repeated).on("repeated"));
      add(of(new AllGather(1), Arg.of(n, 3)), of(new AllGather.Grad(1), Arg.of(n, 3)));
    }
    int[] all = new int[65];
    int[] spread = new int[200];
    for (int i = 0; i < spread.length; i++) spread[i] = i * 7919 % 1009;
    add(of(new Gather(), Arg.of(3, 33), ints(all)).on("all the same"));
    add(of(new Gather.Grad(3), Arg.of(65, 33), ints(all)).on("all the same"));
    add(of(new Gather(), Arg.of(1, 1), ints(0)), of(new Gather.Grad(1), Arg.of(1, 1), ints(0)));
    add(of(new Gather(), Arg.of(1009, 96), ints(spread)), of(new Gather.Grad(1009), Arg.of(200, 96), ints(spread)));
    int[] most = new int[1500], far = new int[600];
    for (int i = 0; i < most.length; i++) most[i] = i % 5 == 0 ? i % 300 : 17;
    for (int i = 0; i < far.length; i++) far[i] = i * 7919 % 70_001;
    add(of(new Gather.Grad(300), Arg.of(1500, 5), ints(most)).on("most the same"));
    add(of(new Gather.Grad(70_001), Arg.of(600, 3), ints(far)).on("a large table"));
    add(of(new Gather(), Arg.of(64, 768), ints(0, 17, 40, 63)).on("[CLS] rows"));
    add(of(new Gather.Grad(64), Arg.of(4, 768), ints(0, 17, 40, 63)).on("[CLS] rows"));
  }

  private static final int[][] NORMS = {{1, 1}, {5, 31}, {5, 32}, {5, 33}, {1, 63}, {65, 64}, {3, 65}, {33, 768},
      {2, 320}, {2, 768}, {3, 1024}, {2, 1100}};

  private void layerNorms() {
    for (int[] s : NORMS) {
      int rows = s[0], columns = s[1];
      add(of(new LayerNorm(EPS), Arg.of(s), Arg.of(columns), Arg.of(columns)));
      add(of(new LayerNorm.Grad(), normGrad(rows, columns)));
      for (double p : new double[] {0, 0.1, 0.5}) {
        List<Arg> in = new ArrayList<>(List.of(Arg.of(s), Arg.of(s), Arg.of(columns), Arg.of(columns)));
        List<Arg> grad = new ArrayList<>(List.of(normGrad(rows, columns)));
        if (p > 0) {
          in.addAll(randomRows(rows));
          grad.addAll(randomRows(rows));
        }
        List<Arg> biased = new ArrayList<>(in);
        biased.add(Arg.of(columns));
        for (boolean kept : new boolean[] {false, true}) {
          add(of(new DropoutAddLayerNorm(p, 5, EPS, kept, false), in));
          add(of(new DropoutAddLayerNorm(p, 5, EPS, kept, true), biased));
        }
        for (boolean bias : new boolean[] {false, true}) add(of(new DropoutAddLayerNorm.Grad(p, 5, bias), grad));
      }
    }
    add(of(new LayerNorm(1e-5), filled((r, i) -> 3, 2, 33), Arg.of(33), Arg.of(33)).on("constant rows"));
    add(of(new LayerNorm(EPS), filled((r, i) -> 20 + r.nextDouble(), 4, 128), Arg.of(128),
        Arg.of(128)).on("far from zero"));
    add(of(new LayerNorm(EPS), Arg.of(2, 3, 33), Arg.of(33), Arg.of(33)).on("rank 3"));
  }

  private void embeddings() {
    for (int[] s : NORMS) {
      for (int tables : new int[] {2, 3}) {
        for (boolean kept : new boolean[] {false, true}) {
          EmbeddingLayerNorm op = new EmbeddingLayerNorm(tables, EPS, Optional.empty(), kept);
          add(of(op, embedded(tables, s[0], s[1])));
        }
      }
    }
  }

  /** Tables of 101, 2 and 5 rows with their indices, w, b. */
  static List<Arg> embedded(int tables, int rows, int columns) {
    int[] words = new int[rows], types = new int[rows], positions = new int[rows];
    for (int r = 0; r < rows; r++) {
      words[r] = r == rows - 1 ? 100 : r * 7919 % 101;
      types[r] = r % 4 / 2;
      positions[r] = r % 5;
    }
    List<Arg> in = new ArrayList<>(List.of(Arg.of(101, columns), ints(words), Arg.of(2, columns), ints(types)));
    if (tables == 3) in.addAll(List.of(Arg.of(5, columns), ints(positions)));
    in.addAll(List.of(Arg.of(columns), Arg.of(columns)));
    return in;
  }

  /** dy, x, w, and the mean and rstd that the forward keeps. */
  private static Arg[] normGrad(int rows, int columns) {
    int[] xww = {1, 2, 2};
    return new Arg[] {Arg.of(rows, columns), Arg.of(rows, columns), Arg.of(columns),
        derived(new LayerNorm(EPS), 1, xww, rows), derived(new LayerNorm(EPS), 2, xww, rows)};
  }

  /** Seed and step of dropout: all bits in use. */
  static final Arg RANDOM = ints(0x89ABCDEF, 0x7654321F, 123_457, 0);

  /** random, sequence, position: sequences of three tokens, their numbers far apart. */
  private static List<Arg> randomRows(int rows) {
    int[] sequence = new int[rows], position = new int[rows];
    for (int r = 0; r < rows; r++) {
      sequence[r] = r / 3 * 1_000_003;
      position[r] = r % 3 == 2 ? 511 : r % 3;
    }
    return List.of(RANDOM, ints(sequence), ints(position));
  }

  private void dropouts() {
    for (double p : new double[] {0, 0.1, 0.5}) {
      for (int n : new int[] {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 768}) {
        List<Arg> in = new ArrayList<>(List.of(Arg.of(7, n)));
        in.addAll(randomRows(7));
        add(of(new Dropout(p, 3), in));
      }
    }
    List<Arg> in = new ArrayList<>(List.of(Arg.of(1, 100)));
    in.addAll(randomRows(1));
    add(of(new Dropout(0.1, 60_000), in).on("a high site"));
  }

  private void groupCrossEntropy() {
    groups("one sample", 1, 1, 0, 1);
    groups("groups of one sample", 3, 1, 0, 1, 2, 3);
    groups("one group", 33, 1, 0, 33);
    groups("an empty group", 8, 1, 0, 3, 3, 8);
    groups("only empty groups", 2, 1, 0, 0, 0);
    groups("samples of no group", 9, 1, 0, 2, 7);
    groups("groups of 8", 64, 1, 0, 8, 16, 24, 32, 40, 48, 56, 64);
    groups("logits far apart", 40, 100, 0, 16, 31, 40);
  }

  private void groups(String edge, int samples, double magnitude, int... offsets) {
    Arg z = uniform(-magnitude, magnitude, samples, 1), groups = ints(offsets);
    add(of(new GroupCrossEntropy(), z, groups).on(edge));
    add(of(new GroupCrossEntropy.Grad(), Arg.of(offsets.length - 1), z, groups).on(edge));
    add(of(new GroupCrossEntropy(2), z, groups).on(edge + ", 2 kept"));
    add(of(new GroupCrossEntropy.Grad(2), Arg.of(offsets.length - 1), z, groups).on(edge + ", 2 kept"));
  }
}
