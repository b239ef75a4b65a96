package org.dyr.op;

/**
 * Philox4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), and
 * the rule by which dropout draws from it. Randomness is a function here: nothing is stored, backward draws again.
 *
 * <p>An element belongs to a row (a token of a sequence) and a column. Columns go in blocks of 64, drawn by 16 counters
 * of four words each: the element in column c takes word {@code (c mod 64) / 16} of counter
 * {@code 16 (c / 64) + c mod 16}, so that 16 neighbours come from the same word of 16 counters, which is the order of a
 * vector register. The counter's words:
 * <pre>
 * 0  place in the sequence * stride + the counter within the row
 * 1  number of the sequence in the global batch
 * 2  site * 1024 + attention head (0 outside attention)
 * 3  step
 * </pre>
 * The key is the 64-bit seed. An element is dropped when its word, unsigned, is below {@code p 2^32}.
 */
public final class Philox {
  public static final int MULTIPLIER_0 = 0xD2511F53;
  public static final int MULTIPLIER_1 = 0xCD9E8D57;
  public static final int WEYL_0 = 0x9E3779B9;
  public static final int WEYL_1 = 0xBB67AE85;
  public static final int ROUNDS = 10;

  /** Counters that a row of attention probabilities may use: 65,536 keys. */
  public static final int ATTENTION_STRIDE = 1 << 14;

  /** Sizes of the input that carries randomness: seed (low, high), step, and one word unused. */
  public static final int STATE_WORDS = 4;

  private static final long LOW = 0xFFFFFFFFL;

  private Philox() {}

  /** Word {@code word} of the block that the counter (c0..c3) and the key (k0, k1) give. */
  public static int word(int c0, int c1, int c2, int c3, int k0, int k1, int word) {
    for (int round = 0; round < ROUNDS; round++) {
      long p0 = (MULTIPLIER_0 & LOW) * (c0 & LOW), p1 = (MULTIPLIER_1 & LOW) * (c2 & LOW);
      int n0 = (int) (p1 >>> 32) ^ c1 ^ k0, n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
      c1 = (int) p1;
      c3 = (int) p0;
      c0 = n0;
      c2 = n2;
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    return switch (word) {
      case 0 -> c0;
      case 1 -> c1;
      case 2 -> c2;
      default -> c3;
    };
  }

  /** Counters that a row of {@code columns} elements takes. */
  public static int stride(int columns) {
    return (columns + 63) / 64 * 16;
  }

  /** The counter, within its row, of the element in this column. */
  public static int counter(int column) {
    return (column >> 6 << 4) + (column & 15);
  }

  /** The word of that counter. */
  public static int wordOf(int column) {
    return column >> 4 & 3;
  }

  /** Word 2 of the counter. */
  public static int site(int site, int head) {
    return site << 10 | head;
  }

  /** Words below this, unsigned, are dropped. */
  public static int threshold(double probability) {
    return (int) (long) Math.rint(probability * 0x1p32);
  }

  /** Whether the element stays. */
  public static boolean keeps(int word, int threshold) {
    return Integer.compareUnsigned(word, threshold) >= 0;
  }

  /** Fails unless 0 <= p < 1. */
  static void checkProbability(Op op, double p) {
    Op.check(p >= 0 && p < 1, "%s: the probability must be in [0, 1), not %s", op.name(), p);
  }
}
