package org.dyr.ranker.train;

import java.util.Set;
import org.dyr.graph.Recompute;

/**
 * How a training step computes; all ranks have it in common.
 *
 * @param seed what dropout follows from
 * @param tokens the most tokens of a rank's micro-batch; a block is cut only along ranks, so one of which a rank's share
 *     has more is an error
 * @param fusionsOff names of fusions to switch off
 * @param recompute which activations are computed again in backward
 */
public record StepSettings(long seed, int tokens, Set<String> fusionsOff, Recompute recompute, Compression compression,
    BlockSplit split) {

  /** Every fusion, every activation kept, every negative, one rank. */
  public StepSettings(long seed, int tokens) {
    this(seed, tokens, Set.of(), Recompute.NONE, Compression.NONE, BlockSplit.NONE);
  }

  public StepSettings without(Set<String> fusions) {
    return new StepSettings(seed, tokens, fusions, recompute, compression, split);
  }

  public StepSettings with(Compression other) {
    return new StepSettings(seed, tokens, fusionsOff, recompute, other, split);
  }

  public StepSettings with(Recompute other) {
    return new StepSettings(seed, tokens, fusionsOff, other, compression, split);
  }

  public StepSettings with(BlockSplit other) {
    return new StepSettings(seed, tokens, fusionsOff, recompute, compression, other);
  }
}
