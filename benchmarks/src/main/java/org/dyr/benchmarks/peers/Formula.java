package org.dyr.benchmarks.peers;

/**
 * The numbers of a parameter as a function of its name and the place, so that engines have the same weights without
 * exchanging them: uniform around 0 with a deviation of 0.02; around 1 for a layer norm's weight. Names are those of
 * Hugging Face's BertForSequenceClassification.
 */
public final class Formula {
  private static final double DEVIATION = 0.02;
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private final long seed;
  private final float middle;

  public Formula(String name) {
    seed = name.hashCode() * GOLDEN;
    middle = name.endsWith("LayerNorm.weight") ? 1 : 0;
  }

  /** The number at a place of the parameter, row by row; a linear layer's matrix is (out,in). */
  public float at(long place) {
    long bits = mixed(seed + place * GOLDEN) >> 40; // 24 bits with a sign
    return middle + (float) (DEVIATION * Math.sqrt(3) * bits / (1 << 23));
  }

  /** The first numbers of the parameter. */
  public float[] first(int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) numbers[i] = at(i);
    return numbers;
  }

  /** SplitMix64's mixing, Steele, Lea and Flood 2014. */
  private static long mixed(long x) {
    x = (x ^ x >>> 30) * 0xBF58476D1CE4E5B9L;
    x = (x ^ x >>> 27) * 0x94D049BB133111EBL;
    return x ^ x >>> 31;
  }
}
