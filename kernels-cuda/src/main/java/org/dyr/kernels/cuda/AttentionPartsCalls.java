package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Op;
import org.dyr.op.Philox;
import org.dyr.op.Queries;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.tensor.Spec;

/** The kernels of {@code attention_parts.cu}: the ops that attention is made of, where fusions are switched off. */
final class AttentionPartsCalls {
  private AttentionPartsCalls() {}

  /** What a call is told besides addresses: L is {@code longest}, {@code first} is 1 where first tokens alone ask. */
  private record Sizes(int type, int tokens, int sequences, int heads, int size, int longest, int first) {

    /** For scores (H,Q,L) and keys or values (T,C). */
    static Sizes of(Queries queries, Spec scores, Spec keys, Spec offsets) {
      int heads = scores.shape().dim(0), columns = keys.shape().last();
      return new Sizes(Binding.number(scores.type()), keys.shape().rows(), offsets.shape().dim(0) - 1, heads,
          columns / heads, scores.shape().last(), queries == Queries.FIRST ? 1 : 0);
    }

    /** For scores alone; where first tokens ask, the number of tokens does not matter. */
    static Sizes of(Queries queries, Spec scores, Spec offsets) {
      return new Sizes(Binding.number(scores.type()), scores.shape().dim(1), offsets.shape().dim(0) - 1,
          scores.shape().dim(0), 1, scores.shape().last(), queries == Queries.FIRST ? 1 : 0);
    }

    float scale() {
      return (float) (1 / Math.sqrt(size));
    }
  }

  /** A table of distances, or none. */
  private record Table(long at, int rows) {
    static final Table NONE = new Table(0, 0);

    static Table of(Binding b, int i) {
      return new Table(b.in(i), b.operands().in()[i].shape().rows());
    }
  }

  /** Where the gradient of a table begins in the scratch: its sums over the keys of a distance, then their parts. */
  private record TableScratch(long parts, int count, long bytes) {

    static TableScratch of(Sizes n, int distances) {
      int count = DistanceParts.count(n.heads, n.tokens);
      long folded = Float.BYTES * (long) n.heads * n.tokens * distances;
      return new TableScratch(folded, count, folded + Float.BYTES * (long) count * distances * n.size);
    }
  }

  static long scratchBytes(Op op, Spec[] in) {
    return switch (op) {
      case RelativeScores.Grad _ -> TableScratch.of(Sizes.of(Queries.ALL, in[0], in[2], in[4]),
          in[3].shape().rows()).bytes;
      case RelativeContext.Grad _ -> TableScratch.of(Sizes.of(Queries.ALL, in[1], in[2], in[4]),
          in[3].shape().rows()).bytes;
      default -> 0;
    };
  }

  /** Inputs q, k, offsets; output s. */
  static Kernel scores(Binding b, AttentionScores op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(op.queries(), b.operands().out()[0], in[1], in[2]);
    return products(b, n, b.in(0), b.in(1), Table.NONE, b.in(2), b.out(0), n.scale());
  }

  /** Inputs q, k, a, offsets; output s. */
  static Kernel scores(Binding b, RelativeScores op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(Queries.ALL, b.operands().out()[0], in[1], in[3]);
    return products(b, n, b.in(0), b.in(1), Table.of(b, 2), b.in(3), b.out(0), n.scale());
  }

  /** Inputs ds, q, k, offsets; outputs dq, dk. */
  static Kernel scoresGradient(Binding b, AttentionScores.Grad op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(op.queries(), in[0], in[2], in[3]);
    Kernel dq = sumOverKeys(b, n, b.in(0), b.in(2), Table.NONE, b.in(3), b.out(0), n.scale());
    Kernel dk = sumOverQueries(b, n, b.in(0), b.in(1), b.in(3), b.out(1), n.scale());
    return both(dq, dk);
  }

  /** Inputs ds, q, k, a, offsets; outputs dq, dk, da. */
  static Kernel scoresGradient(Binding b, RelativeScores.Grad op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(Queries.ALL, in[0], in[2], in[4]);
    Table a = Table.of(b, 3);
    Kernel dq = sumOverKeys(b, n, b.in(0), b.in(2), a, b.in(4), b.out(0), n.scale());
    Kernel dk = sumOverQueries(b, n, b.in(0), b.in(1), b.in(4), b.out(1), n.scale());
    return both(both(dq, dk), tableGradient(b, n, b.in(0), b.in(1), a, b.in(4), b.out(2), n.scale()));
  }

  /** Inputs s, offsets; outputs p, lse. */
  static Kernel softmax(Binding b, AttentionSoftmax op) {
    Sizes n = Sizes.of(op.queries(), b.operands().in()[0], b.operands().in()[1]);
    long s = b.in(0), offsets = b.in(1), p = b.out(0), lse = b.out(1), stream = b.stream();
    return () -> check(CudaCalls.attentionSoftmax(n.type, s, offsets, p, lse, n.tokens, n.sequences, n.heads, n.longest,
        n.first, stream));
  }

  /** Inputs dp, p, offsets; output ds. */
  static Kernel softmaxGradient(Binding b, AttentionSoftmax.Grad op) {
    Sizes n = Sizes.of(op.queries(), b.operands().in()[1], b.operands().in()[2]);
    long dp = b.in(0), p = b.in(1), offsets = b.in(2), ds = b.out(0), stream = b.stream();
    return () -> check(CudaCalls.attentionSoftmaxGradient(n.type, dp, p, offsets, ds, n.tokens, n.sequences, n.heads,
        n.longest, n.first, stream));
  }

  /** Inputs p, random, offsets, sequence; output what is left. */
  static Kernel dropout(Binding b, AttentionDropout op) {
    Sizes n = Sizes.of(op.queries(), b.operands().in()[0], b.operands().in()[2]);
    int site = op.site(), threshold = Philox.threshold(op.probability());
    float scale = (float) Philox.scale(op.probability());
    long x = b.in(0), random = b.in(1), offsets = b.in(2), sequence = b.in(3), y = b.out(0), stream = b.stream();
    return () -> check(CudaCalls.attentionDropout(n.type, x, random, offsets, sequence, y, n.tokens, n.sequences,
        n.heads, n.longest, n.first, site, threshold, scale, stream));
  }

  /** Inputs p, v, offsets; output o. */
  static Kernel context(Binding b, AttentionContext op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(op.queries(), in[0], in[1], in[2]);
    return sumOverKeys(b, n, b.in(0), b.in(1), Table.NONE, b.in(2), b.out(0), 1);
  }

  /** Inputs p, v, a, offsets; output o. */
  static Kernel context(Binding b, RelativeContext op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(Queries.ALL, in[0], in[1], in[3]);
    return sumOverKeys(b, n, b.in(0), b.in(1), Table.of(b, 2), b.in(3), b.out(0), 1);
  }

  /** Inputs do, p, v, offsets; outputs dp, dv. */
  static Kernel contextGradient(Binding b, AttentionContext.Grad op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(op.queries(), in[1], in[2], in[3]);
    Kernel dp = products(b, n, b.in(0), b.in(2), Table.NONE, b.in(3), b.out(0), 1);
    return both(dp, sumOverQueries(b, n, b.in(1), b.in(0), b.in(3), b.out(1), 1));
  }

  /** Inputs do, p, v, a, offsets; outputs dp, dv, da. */
  static Kernel contextGradient(Binding b, RelativeContext.Grad op) {
    Spec[] in = b.operands().in();
    Sizes n = Sizes.of(Queries.ALL, in[1], in[2], in[4]);
    Table a = Table.of(b, 3);
    Kernel dp = products(b, n, b.in(0), b.in(2), a, b.in(4), b.out(0), 1);
    Kernel dv = sumOverQueries(b, n, b.in(1), b.in(0), b.in(4), b.out(1), 1);
    return both(both(dp, dv), tableGradient(b, n, b.in(1), b.in(0), a, b.in(4), b.out(2), 1));
  }

  private static Kernel both(Kernel first, Kernel second) {
    return () -> {
      first.launch();
      second.launch();
    };
  }

  private static Kernel products(Binding b, Sizes n, long x, long y, Table a, long offsets, long z, float by) {
    long stream = b.stream();
    return () -> check(CudaCalls.attentionProducts(n.type, x, y, a.at, offsets, z, n.tokens, n.sequences, n.heads,
        n.size, n.longest, n.first, a.rows, by, stream));
  }

  private static Kernel sumOverKeys(Binding b, Sizes n, long w, long y, Table a, long offsets, long z, float by) {
    long stream = b.stream();
    return () -> check(CudaCalls.attentionSumOverKeys(n.type, w, y, a.at, offsets, z, n.tokens, n.sequences, n.heads,
        n.size, n.longest, n.first, a.rows, by, stream));
  }

  private static Kernel sumOverQueries(Binding b, Sizes n, long w, long x, long offsets, long z, float by) {
    long stream = b.stream();
    return () -> check(CudaCalls.attentionSumOverQueries(n.type, w, x, offsets, z, n.tokens, n.sequences, n.heads,
        n.size, n.longest, n.first, by, stream));
  }

  /** da[c] = by times the sum of w[h,t,j] x[t,h,:] over the keys of distance c. */
  private static Kernel tableGradient(Binding b, Sizes n, long w, long x, Table a, long offsets, long da, float by) {
    TableScratch at = TableScratch.of(n, a.rows);
    long folded = b.scratch(), parts = folded + at.parts, stream = b.stream();
    return () -> {
      check(CudaCalls.attentionFold(n.type, w, offsets, folded, n.tokens, n.sequences, n.heads, n.size, n.longest,
          a.rows, by, stream));
      check(CudaCalls.distancesGradient(n.type, folded, x, 0, offsets, parts, da, n.tokens, n.sequences, n.heads,
          n.size, a.rows, at.count, stream));
    };
  }
}
