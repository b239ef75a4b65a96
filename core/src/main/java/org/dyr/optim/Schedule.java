package org.dyr.optim;

/**
 * The learning rate of step t, counted from 0, as MindSpore's DYR has it: rate * t / warmup while t < warmup, else
 * (rate - end) (1 - min(t, total) / total)^power + end.
 *
 * @param rate the rate that warming up leads to
 * @param end the rate that step {@code total} would have, the first behind the last
 * @param warmup steps of warming up
 * @param total all steps
 */
public record Schedule(double rate, double end, double power, long warmup, long total) {

  public Schedule {
    if (total < 1) throw new IllegalArgumentException("a schedule needs at least one step, not " + total);
    if (warmup < 0 || warmup > total) {
      throw new IllegalArgumentException("%d steps of warm-up do not fit a run of %d".formatted(warmup, total));
    }
  }

  /** The learning rate of step {@code t}, from 0. */
  public double at(long t) {
    if (t < warmup) return rate * t / warmup;
    return (rate - end) * Math.pow(1 - (double) Math.min(t, total) / total, power) + end;
  }
}
