package org.dyr.tests;

import static org.dyr.tests.Arg.derived;
import static org.dyr.tests.Arg.ints;
import static org.dyr.tests.Arg.uniform;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.Attention;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Queries;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;

/**
 * The rows of {@link OpCases} for attention: every layout of packed sequences, through the primitives and the fused op.
 */
final class AttentionCases {
  private final List<OpCase> cases = new ArrayList<>();

  private AttentionCases() {}

  static List<OpCase> all() {
    AttentionCases c = new AttentionCases();
    c.layout("length 1", 1, 1, 1, 1, 0, 1);
    c.layout("all of length 1", 2, 8, 4, 1, 0, 1, 2, 3, 4);
    c.layout("one sequence", 2, 5, 33, 33, 0, 33);
    c.layout("many", 3, 16, 40, 17, 0, 1, 2, 5, 12, 13, 30, 40);
    c.layout("empty inside", 2, 7, 9, 5, 0, 5, 5, 9);
    c.layout("empty first and last", 1, 8, 4, 4, 0, 0, 4, 4);
    c.layout("tokens past the end", 2, 8, 12, 5, 0, 3, 8);
    c.layout("only empty sequences", 2, 4, 3, 2, 0, 0, 0);
    c.layout("room beyond the longest", 2, 31, 11, 24, 0, 4, 11);
    c.layout("L beyond T", 2, 33, 6, 64, 0, 2, 6);
    c.layout("63 to 65", 1, 16, 192, 65, 0, 63, 127, 192);
    c.layout("over two tiles", 1, 33, 132, 130, 0, 130, 131);
    c.layout("wide heads", 2, 65, 20, 20, 0, 20);
    c.layout("the model's", 12, 64, 40, 25, 0, 25, 37);
    c.layout("heads of 32", 2, 32, 81, 80, 0, 1, 81);
    c.layout("heads of 128", 1, 128, 21, 17, 0, 17, 20);
    c.layout("heads of 64, two blocks of queries", 1, 64, 135, 133, 0, 133);
    c.layout("more units than parts of a sum", 12, 4, 97, 4, IntStream.rangeClosed(0, 64).map(s -> s * 3 / 2).toArray());
    c.scoresOfMinusInfinity(516);
    c.absorbed();
    return c.cases;
  }

  /** One sequence whose keys, all but the last four, score -infinity: a kernel may meet those in a block first. */
  private void scoresOfMinusInfinity(int tokens) {
    Arg ones = Arg.filled((random, i) -> 1, tokens, 1), offsets = ints(0, tokens);
    Arg keys = Arg.filled((random, i) -> i < tokens - 4 ? Double.NEGATIVE_INFINITY : random.nextDouble(), tokens, 1);
    add("scores of -infinity", OpCase.of(new Attention(1, tokens, 0, 2), ones, keys, Arg.of(tokens, 1), offsets));
  }

  /** Every attention op for one layout of tokens; the numbers of the sequences in the global batch are far apart. */
  private void layout(String edge, int heads, int size, int tokens, int longest, int... bounds) {
    Arg offsets = ints(bounds);
    int[] numbers = new int[bounds.length - 1];
    for (int s = 0; s < numbers.length; s++) numbers[s] = 3 + s * 700_001;
    Arg sequence = ints(numbers);
    for (Queries queries : Queries.values()) absolute(edge, queries, heads, size, tokens, longest, offsets, sequence);
    if (tokens < 100) relative(edge, heads, size, tokens, longest, 2, offsets, sequence);
    relative(edge, heads, size, tokens, longest, 16, offsets, sequence);
  }

  private void absolute(String edge, Queries queries, int heads, int size, int tokens, int longest, Arg offsets,
      Arg sequence) {
    int columns = heads * size, rows = queries.rows(tokens, sequence.shape().dim(0));
    Arg q = Arg.of(rows, columns), x = Arg.of(tokens, columns);
    Arg ragged = Arg.of(heads, rows, longest), share = uniform(0, 1, heads, rows, longest);
    add(edge, OpCase.of(new AttentionScores(heads, longest, queries), q, x, offsets));
    add(edge, OpCase.of(new AttentionScores.Grad(heads, queries), ragged, q, x, offsets));
    add(edge, OpCase.of(new AttentionSoftmax(queries), uniform(-4, 4, heads, rows, longest), offsets));
    add(edge, OpCase.of(new AttentionSoftmax.Grad(queries), ragged, share, offsets));
    add(edge, OpCase.of(new AttentionContext(heads, queries), share, x, offsets));
    add(edge, OpCase.of(new AttentionContext.Grad(heads, queries), q, share, x, offsets));
    for (double p : new double[] {0, 0.1, 0.5}) {
      if (p > 0) add(edge, OpCase.of(new AttentionDropout(p, 2, queries), share, OpCases.RANDOM, offsets, sequence));
      Attention op = new Attention(heads, longest, p, 2, queries);
      add(edge, OpCase.of(op, p > 0 ? List.of(q, x, x, offsets, OpCases.RANDOM, sequence) : List.of(q, x, x, offsets)));
      int[] forward = p > 0 ? new int[] {1, 2, 3, 6, 7, 8} : new int[] {1, 2, 3, 6};
      List<Arg> grad = new ArrayList<>(List.of(q, q, x, x, derived(op, 0, forward, rows, columns),
          derived(op, 1, forward, heads, rows), offsets));
      if (p > 0) grad.addAll(List.of(OpCases.RANDOM, sequence));
      add(edge, OpCase.of(new Attention.Grad(op), grad));
    }
  }

  /** The same with distances of up to {@code most} each way. */
  private void relative(String edge, int heads, int size, int tokens, int longest, int most, Arg offsets,
      Arg sequence) {
    int columns = heads * size;
    Arg x = Arg.of(tokens, columns), a = Arg.of(2 * most + 1, size);
    Arg ragged = Arg.of(heads, tokens, longest), share = uniform(0, 1, heads, tokens, longest);
    add(edge, OpCase.of(new RelativeScores(heads, longest), x, x, a, offsets));
    add(edge, OpCase.of(new RelativeScores.Grad(heads), ragged, x, x, a, offsets));
    add(edge, OpCase.of(new RelativeContext(heads), share, x, a, offsets));
    add(edge, OpCase.of(new RelativeContext.Grad(heads), x, share, x, a, offsets));
    for (double p : new double[] {0, 0.1, 0.5}) {
      RelativeAttention op = new RelativeAttention(new Attention(heads, longest, p, 2));
      List<Arg> random = p > 0 ? List.of(OpCases.RANDOM, sequence) : List.of();
      List<Arg> in = new ArrayList<>(List.of(x, x, x, offsets));
      in.addAll(random);
      in.add(a);
      add(edge, OpCase.of(op, in));
      int[] forward = p > 0 ? new int[] {1, 2, 3, 6, 7, 8, 9} : new int[] {1, 2, 3, 6, 7};
      List<Arg> grad = new ArrayList<>(List.of(x, x, x, x, derived(op, 0, forward, tokens, columns),
          derived(op, 1, forward, heads, tokens), offsets));
      grad.addAll(random);
      grad.add(a);
      add(edge, OpCase.of(new RelativeAttention.Grad(op), grad));
    }
  }

  /** Keys and values absorbed: heads that fill tiles and that do not, more sequences than share a pass, panels. */
  private void absorbed() {
    absorbed("length 1", 1, 16, 32, 1, 0, 1);
    absorbed("one sequence", 2, 16, 32, 37, 0, 37);
    absorbed("empty inside, tokens past the end", 2, 16, 32, 11, 0, 5, 5, 9);
    absorbed("empty first and last", 1, 32, 32, 4, 0, 0, 4, 4);
    absorbed("only empty sequences", 2, 16, 32, 3, 0, 0, 0);
    absorbed("many", 3, 32, 96, 45, IntStream.rangeClosed(0, 40).toArray());
    absorbed("63 to 65", 5, 16, 160, 192, 0, 63, 127, 192);
    absorbed("x wider than queries", 7, 16, 64, 20, 0, 13, 20);
    absorbed("the model's", 12, 64, 768, 40, 0, 25, 37);
    absorbed("odd heads", 2, 7, 33, 9, 0, 5, 9);
    for (int columns : new int[] {16, 32}) {
      for (int unit : new int[] {1, 2}) {
        for (int parts : new int[] {1, 2}) {
          int size = 16, c = 2 * columns, e = 32 * parts;
          Arg w = Arg.of(parts, 2, 32 / unit, columns, unit), q = uniform(-0.5, 0.5, 3, c), b = Arg.of(c);
          AbsorbedAttention op = new AbsorbedAttention(c / size, 9);
          add("panels", OpCase.of(op, q, Arg.of(20, e), w, b, w, b, ints(0, 9, 9, 17)));
        }
      }
    }
  }

  private void absorbed(String edge, int heads, int size, int columns, int tokens, int... bounds) {
    int c = heads * size;
    double range = Math.min(1, 4 / Math.sqrt(columns)); // as a model's weights: scores stay near 1
    Arg w = uniform(-range, range, c, columns), b = Arg.of(c);
    add(edge, OpCase.of(new AbsorbedAttention(heads, tokens), Arg.of(bounds.length - 1, c), Arg.of(tokens, columns), w, b,
        w, b, ints(bounds)));
  }

  private void add(String edge, OpCase c) {
    cases.add(c.on(edge));
  }
}
