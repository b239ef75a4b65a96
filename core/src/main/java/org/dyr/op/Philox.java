package org.dyr.op;

/**
 * Philox4x32-7, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011; with
 * seven rounds it passes every test of BigCrush), and the rule by which dropout draws from it. Randomness is a function
 * here: nothing is stored, backward draws again.
 *
 * <p>An element belongs to a row (a token of a sequence) and a column, and takes 16 bits. Columns go in blocks of 64,
 * drawn by 8 counters of four words of two halves: the element in column c takes half {@code c mod 2}, the lower one
 * first, of word {@code (c mod 64) / 16} of counter {@code 8 (c / 64) + (c mod 16) / 2}, so that a word of 8 counters
 * in a row, as numbers of 16 bits, is 16 neighbours in order. The counter's words:
 * <pre>
 * 0  place in the sequence * stride + the counter within the row
 * 1  number of the sequence in the global batch
 * 2  site * 1024 + attention head (0 outside attention)
 * 3  step
 * </pre>
 * The key is the 64-bit seed. An element is dropped when its half, unsigned, is below {@code p 2^16}, rounded to the
 * {@link #threshold}; what stays is multiplied by the {@link #scale} of the rounded p, so that the mean is exact.
 */
public final class Philox {
  public static final int MULTIPLIER_0 = 0xD2511F53;
  public static final int MULTIPLIER_1 = 0xCD9E8D57;
  public static final int WEYL_0 = 0x9E3779B9;
  public static final int WEYL_1 = 0xBB67AE85;
  public static final int ROUNDS = 7;

  /** Counters that a row of attention probabilities may use: 65,536 keys. */
  public static final int ATTENTION_STRIDE = 1 << 13;

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
    return (columns + 63) / 64 * 8;
  }

  /** The counter, within its row, of the element in this column. */
  public static int counter(int column) {
    return (column >> 6 << 3) + (column >> 1 & 7);
  }

  /** The word of that counter. */
  public static int wordOf(int column) {
    return column >> 4 & 3;
  }

  /** The half of its word that an element takes, as a number below 2^16. */
  public static int half(int word, int column) {
    return word >>> (column & 1) * 16 & 0xFFFF;
  }

  /** Word 2 of the counter. */
  public static int site(int site, int head) {
    return site << 10 | head;
  }

  /** Halves below this are dropped: {@code p 2^16}, rounded, and never all of them. */
  public static int threshold(double probability) {
    return Math.min((int) Math.rint(probability * 0x1p16), 0xFFFF);
  }

  /** What an element that stays is multiplied by: 1 over the share that stays. */
  public static double scale(double probability) {
    return 0x1p16 / (0x1p16 - threshold(probability));
  }

  /** Whether the element stays that takes this half. */
  public static boolean keeps(int half, int threshold) {
    return half >= threshold;
  }

  /** Fails unless 0 <= p < 1. */
  static void checkProbability(Op op, double p) {
    Op.check(p >= 0 && p < 1, "%s: the probability must be in [0, 1), not %s", op.name(), p);
  }
}
