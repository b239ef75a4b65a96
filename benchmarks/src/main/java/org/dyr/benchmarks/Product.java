package org.dyr.benchmarks;

import java.util.ArrayList;
import java.util.List;

/**
 * A layer's matrix product c = op(a) op(b), where op transposes or not: c is (M,N), the depth K. Operands are fp32 or
 * bf16, and so is c, but a weight's gradient is fp32. Needs the JDK alone, for the peers' module.
 *
 * @param pass what of the layer it is
 */
public record Product(Pass pass, int m, int n, int k, boolean bf16) {

  /** A layer's three products, x (R,I), W (O,I), y and dy (R,O); each named by which operands it transposes. */
  public enum Pass {
    /** y = x W^T, the forward. */
    NT,
    /** dx = dy W, the input's gradient. */
    NN,
    /** dW = dy^T x, the weight's gradient. */
    TN
  }

  /** O and I of BERT-base's layers and of those of 384. */
  private static final int[][] WEIGHTS = {{768, 768}, {3072, 768}, {768, 3072}, {384, 384}, {1536, 384}, {384, 1536}};
  private static final int[] ROWS = {1024, 4096};

  /** Every pass of every layer, those of one pass and type side by side. */
  static List<Product> all() {
    List<Product> all = new ArrayList<>();
    for (boolean bf16 : new boolean[] {false, true}) {
      for (Pass pass : Pass.values()) {
        for (int rows : ROWS) for (int[] w : WEIGHTS) all.add(of(pass, rows, w[0], w[1], bf16));
      }
    }
    return all;
  }

  static Product of(Pass pass, int rows, int out, int in, boolean bf16) {
    return switch (pass) {
      case NT -> new Product(pass, rows, out, in, bf16);
      case NN -> new Product(pass, rows, in, out, bf16);
      case TN -> new Product(pass, out, in, rows, bf16);
    };
  }

  /** Whether a is stored (K,M), not (M,K). */
  public boolean transposeA() {
    return pass == Pass.TN;
  }

  /** Whether b is stored (N,K), not (K,N). */
  public boolean transposeB() {
    return pass == Pass.NT;
  }

  /** Whether b is a weight, the same from call to call, so that it can be packed beforehand. */
  public boolean ofWeight() {
    return pass != Pass.TN;
  }

  /** Whether c is bf16 too. */
  public boolean rounded() {
    return bf16 && ofWeight();
  }

  double flops() {
    return 2.0 * m * n * k;
  }

  String type() {
    return bf16 ? "bf16" : "fp32";
  }

  /** As in {@code NT 1024x768x768 fp32}. */
  @Override public String toString() {
    return "%s %dx%dx%d %s".formatted(pass, m, n, k, type());
  }
}
