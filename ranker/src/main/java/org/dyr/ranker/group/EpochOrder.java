package org.dyr.ranker.group;

/**
 * The order of an epoch: a Fisher-Yates permutation from the stream (seed, 0, epoch) of {@link SplitMix64}, or the
 * order of the file. Safe for use by many threads.
 */
public final class EpochOrder {
  private static final long ORDER = 0;

  private record Known(long epoch, int[] items) {}

  private final long seed;
  private final int count;
  private final boolean shuffle;
  private volatile Known last;

  /** @param count the items of an epoch */
  public EpochOrder(long seed, int count, boolean shuffle) {
    this.seed = seed;
    this.count = count;
    this.shuffle = shuffle;
  }

  /** The item that comes {@code index}-th in the epoch, both from 0. */
  public int at(long epoch, int index) {
    return shuffle ? items(epoch)[index] : index;
  }

  /** Kept for the epoch asked for last; two threads that compute it at once get the same. */
  private int[] items(long epoch) {
    Known known = last;
    if (known != null && known.epoch == epoch) return known.items;
    SplitMix64 random = new SplitMix64(seed, ORDER, epoch);
    int[] items = new int[count];
    for (int i = 0; i < count; i++) items[i] = i;
    for (int i = count - 1; i > 0; i--) {
      int other = random.below(i + 1);
      int swap = items[i];
      items[i] = items[other];
      items[other] = swap;
    }
    last = new Known(epoch, items);
    return items;
  }
}
