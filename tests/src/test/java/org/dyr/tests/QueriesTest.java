package org.dyr.tests;

import static org.dyr.tests.Arg.ints;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Arrays;
import java.util.Random;
import org.dyr.op.Attention;
import org.dyr.op.Queries;
import org.junit.jupiter.api.Test;

/** Where the first token of each sequence alone asks, it gets the very numbers that it gets where all tokens ask. */
class QueriesTest {
  private static final int HEADS = 3;
  private static final int COLUMNS = 15;
  private static final int LONGEST = 70;
  private static final int[] BOUNDS = {0, 4, 4, 74, 75};
  private static final int TOKENS = 77;
  private static final int SEQUENCES = BOUNDS.length - 1;

  private final Attention all = new Attention(HEADS, LONGEST, 0.5, 2, Queries.ALL);
  private final Attention first = new Attention(HEADS, LONGEST, 0.5, 2, Queries.FIRST);
  private final Arg token = Arg.of(TOKENS, COLUMNS);
  private final Arg query = Arg.of(SEQUENCES, COLUMNS);
  private final Arg offsets = ints(BOUNDS);
  private final Arg sequence = ints(9, 2, 700_000, 5);
  private final double[] random = OpCases.RANDOM.draw(new Random(OpCase.SEED));
  private final double[] bounds = offsets.draw(new Random(OpCase.SEED));
  private final double[] numbers = sequence.draw(new Random(OpCase.SEED));

  @Test void theFirstTokensRowsAreThoseOfTheFullAttention() {
    Random draw = new Random(OpCase.SEED);
    double[] q = token.draw(draw), k = token.draw(draw), v = token.draw(draw);
    double[][] expected = Oracle.run(OpCase.of(all, token, token, token, offsets, OpCases.RANDOM, sequence),
        new double[][] {q, k, v, bounds, random, numbers});
    double[][] actual = Oracle.run(OpCase.of(first, query, token, token, offsets, OpCases.RANDOM, sequence),
        new double[][] {picked(q, COLUMNS), k, v, bounds, random, numbers});
    assertArrayEquals(picked(expected[0], COLUMNS), actual[0]);
    for (int h = 0; h < HEADS; h++) {
      assertArrayEquals(picked(Arrays.copyOfRange(expected[1], h * TOKENS, (h + 1) * TOKENS), 1),
          Arrays.copyOfRange(actual[1], h * SEQUENCES, (h + 1) * SEQUENCES));
    }
  }

  /** The gradient of an output whose other rows nobody reads. */
  @Test void soAreTheirGradients() {
    Random draw = new Random(OpCase.SEED);
    double[] dout = query.draw(draw), q = token.draw(draw), k = token.draw(draw), v = token.draw(draw);
    double[] unused = new double[TOKENS * COLUMNS]; // o and lse: the decomposition computes them again
    double[][] expected = Oracle.run(OpCase.of(new Attention.Grad(all), token, token, token, token, token,
        Arg.of(HEADS, TOKENS), offsets, OpCases.RANDOM, sequence),
        new double[][] {spread(dout), q, k, v, unused, new double[HEADS * TOKENS], bounds, random, numbers});
    double[][] actual = Oracle.run(OpCase.of(new Attention.Grad(first), query, query, token, token, query,
        Arg.of(HEADS, SEQUENCES), offsets, OpCases.RANDOM, sequence),
        new double[][] {dout, picked(q, COLUMNS), k, v, new double[SEQUENCES * COLUMNS], new double[HEADS * SEQUENCES],
            bounds, random, numbers});
    assertArrayEquals(picked(expected[0], COLUMNS), actual[0]);
    assertArrayEquals(expected[1], actual[1]);
    assertArrayEquals(expected[2], actual[2]);
  }

  /** The rows of the first tokens; zeros for an empty sequence. */
  private static double[] picked(double[] x, int columns) {
    double[] rows = new double[SEQUENCES * columns];
    for (int s = 0; s < SEQUENCES; s++) {
      if (BOUNDS[s] < BOUNDS[s + 1]) System.arraycopy(x, BOUNDS[s] * columns, rows, s * columns, columns);
    }
    return rows;
  }

  /** The reverse, zeros elsewhere. */
  private static double[] spread(double[] rows) {
    double[] x = new double[TOKENS * COLUMNS];
    for (int s = 0; s < SEQUENCES; s++) {
      if (BOUNDS[s] < BOUNDS[s + 1]) System.arraycopy(rows, s * COLUMNS, x, BOUNDS[s] * COLUMNS, COLUMNS);
    }
    return x;
  }
}
