package org.dyr.ranker.train;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Optional;

/**
 * Bytes that a run holds on its device, reserved before the first step: none is asked for later. What Java's heap holds
 * (texts, token ids) and the code are not in it.
 *
 * @param gradients of all ranks
 * @param states of the optimizer
 * @param workspace of all ranks' training programs, and the update's
 * @param scoring the workspaces that score negatives to select them, and the dev split
 */
public record MemoryPlan(long weights, long gradients, long states, long workspace, long scoring) {

  /** What makes a run smaller and leaves its results as they are. */
  static final String REMEDY = "a lower token_budget, recompute: layer, or fewer ranks need less";

  /** All of it. */
  public long total() {
    return weights + gradients + states + workspace + scoring;
  }

  /** The same with further bytes for scoring. */
  MemoryPlan scoring(long bytes) {
    return new MemoryPlan(weights, gradients, states, workspace, scoring + bytes);
  }

  /** One line, in MB of 10^6 bytes. */
  @Override public String toString() {
    return String.format(Locale.ROOT, "memory: %.1f MB in all (weights %.1f, gradients %.1f, optimizer %.1f, workspace "
        + "%.1f, scoring %.1f), beside Java's heap", mega(total()), mega(weights), mega(gradients), mega(states),
        mega(workspace), mega(scoring));
  }

  private static double mega(long bytes) {
    return bytes / 1e6;
  }

  /** What to say where the host, whose memory the CPU computes in, has less. */
  Optional<String> warning() {
    long there = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getTotalMemorySize();
    return total() <= there ? Optional.empty()
        : Optional.of(String.format(Locale.ROOT, "warning: this machine has %.1f MB; %s", mega(there), REMEDY));
  }
}
