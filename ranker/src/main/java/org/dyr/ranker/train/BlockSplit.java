package org.dyr.ranker.train;

import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How the blocks of a step are split over ranks: equal runs of whole blocks across groups of ranks, and the samples of
 * each block along the ranks of its group.
 *
 * @param ranks all of them; a multiple of {@code groups}
 * @param groups of ranks that follow each other
 * @param balance how samples are dealt out along a group
 */
public record BlockSplit(int ranks, int groups, Balance balance) {

  /** One rank has all. */
  public static final BlockSplit NONE = new BlockSplit(1, 1, Balance.SAMPLES);

  /** A rank is a thread: no process should have more. */
  static final int MOST_RANKS = 1024;

  public BlockSplit {
    if (groups < 1 || ranks < 1 || ranks % groups != 0) {
      throw new IllegalArgumentException("%d ranks cannot be %d equal groups".formatted(ranks, groups));
    }
  }

  /**
   * A split of blocks of {@code size} samples, which every rank of a group has as many of where the balance is by
   * samples.
   *
   * @throws IllegalArgumentException when something does not divide, with what does
   */
  static BlockSplit of(int ranks, int groups, int size, Balance balance) {
    if (divides(ranks, groups, size, balance)) return new BlockSplit(ranks, groups, balance);
    String ranksOfTheseGroups = balance == Balance.TOKENS ? "that are any multiple of it"
        : those(r -> divides(r, groups, size, balance)) + "; with balance tokens group_size need not divide";
    throw new IllegalArgumentException(("ranks %d, group_num %d and group_size %d do not divide: %d ranks can have "
        + "group_num %s; group_num %d can have ranks %s").formatted(ranks, groups, size, ranks,
        those(g -> divides(ranks, g, size, balance)), groups, ranksOfTheseGroups));
  }

  private static boolean divides(int ranks, int groups, int size, Balance balance) {
    return ranks % groups == 0 && (balance == Balance.TOKENS || size % (ranks / groups) == 0);
  }

  private static String those(IntPredicate holds) {
    return IntStream.rangeClosed(1, MOST_RANKS).filter(holds).mapToObj(String::valueOf)
        .collect(Collectors.joining(", "));
  }

  /** The ranks that a block is split along. */
  public int along() {
    return ranks / groups;
  }
}
