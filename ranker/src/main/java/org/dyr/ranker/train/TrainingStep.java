package org.dyr.ranker.train;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.IntFunction;
import org.dyr.collective.ThreadRanks;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.graph.Profile;
import org.dyr.optim.Optimizer;
import org.dyr.optim.UpdateTerms;
import org.dyr.optim.Updater;
import org.dyr.ranker.model.Model;

/**
 * One optimizer step: the groups in micro-batches under a token budget, each forward and backward, the gradients
 * gathered in place; then clip and update. The loss is the mean over all groups of the step, however they are cut into
 * micro-batches and split over ranks.
 *
 * <p>Ranks are threads of this process. They share the weights and the optimizer's states: during a step they only read
 * them, and copies would be equal bit for bit. Gradients and workspaces are each rank's own; the update runs once, on
 * all threads of the model's device.
 */
public final class TrainingStep implements AutoCloseable {

  /**
   * What a step did.
   *
   * @param applied false when the gradient was not finite: the weights are as before
   * @param sequences of all blocks, those dropped by compression among them; tokens likewise
   */
  public record Result(double loss, double gradientNorm, boolean applied, int sequences, int tokens) {}

  /** A step that is launched and may be under way; it is awaited before the next but one is launched. */
  public final class Launched {
    private final DoubleSupplier loss;
    private final Updater.Launched update;
    private final int sequences;
    private final int tokens;

    private Launched(DoubleSupplier loss, Updater.Launched update, int sequences, int tokens) {
      this.loss = loss;
      this.update = update;
      this.sequences = sequences;
      this.tokens = tokens;
    }

    /** Whether the step is known to be over. */
    public boolean isOver() {
      return update.isOver();
    }

    /** What the step did; waits for it. */
    public Result await() {
      double n = update.awaitNorm();
      return new Result(loss.getAsDouble(), n, Double.isFinite(n), sequences, tokens);
    }
  }

  private final Deque<Runnable> opened = new ArrayDeque<>();
  private final Backend backend;
  private final BlockSplit split;
  private final long weights;
  private final Slab gradients;
  private final Updater updater;
  private final ThreadRanks threads;
  private final RankStep[] ranks;
  private final DoubleSupplier[] losses;
  private Profile profile;

  /** On one rank. */
  public TrainingStep(Model model, Optimizer optimizer, double clipNorm, StepSettings settings) {
    this(model, optimizer, clipNorm, settings, rank -> model.backend());
  }

  /**
   * On ranks.
   *
   * @param clipNorm the global norm that gradients are clipped to; 0 never clips
   * @param devices opens the device that is to be this rank's alone; it is closed with the step. Not asked for a single
   *     rank, which takes the model's
   */
  public TrainingStep(Model model, Optimizer optimizer, double clipNorm, StepSettings settings,
      IntFunction<Backend> devices) {
    backend = model.backend();
    split = settings.split();
    weights = model.weights().bytes();
    ranks = new RankStep[split.ranks()];
    losses = new DoubleSupplier[split.ranks()];
    boolean complete = false;
    try {
      gradients = backend.allocate(model.weights().bytes(), "gradients");
      opened.push(gradients::close);
      updater = new Updater(backend, model.weights(), gradients, optimizer, clipNorm);
      opened.push(updater::close);
      threads = new ThreadRanks(split.ranks());
      opened.push(threads::close);
      opened.push(() -> {
        for (RankStep r : ranks) if (r != null) r.close();
      });
      threads.run(all -> {
        int rank = all.rank();
        Backend device = all.size() == 1 ? backend : devices.apply(rank);
        ranks[rank] = new RankStep(model, device, gradients, updater.lossScale(), settings, all);
      });
      complete = true;
    } finally {
      if (!complete) close();
    }
  }

  /** Has every further step's nodes timed, those of rank 0 and of the update; null ends it. */
  public void profile(Profile profile) {
    this.profile = profile;
    ranks[0].profile(profile);
  }

  /** Has every further step checked node by node for infinite values and NaN, in every rank. */
  public void checkNan(boolean check) {
    for (RankStep r : ranks) r.checkNan(check);
  }

  /** Runs a step without a loss scale, and waits for it. */
  public Result run(List<EncodedGroup> groups, long step, double learningRate) {
    UpdateTerms terms = new UpdateTerms(learningRate, 1, step);
    return launch(groups, step, terms, terms).await();
  }

  /**
   * Launches a step; on a device that works on its own the next may be launched before this one is awaited. What a rank
   * throws is thrown on.
   *
   * @param groups as many for each group of ranks, one run of them after the other
   * @param step from 0: dropout follows from it
   * @param ifMade its terms when the step launched last made its update
   * @param ifSkipped its terms when that step did not; the same as the others where this is the first, or is known
   */
  public Launched launch(List<EncodedGroup> groups, long step, UpdateTerms ifMade, UpdateTerms ifSkipped) {
    if (groups.isEmpty() || groups.size() % split.groups() != 0) {
      throw new IllegalArgumentException("a step of %d blocks cannot be shared by %d groups of ranks".formatted(
          groups.size(), split.groups()));
    }
    updater.begin(ifMade, ifSkipped, profile);
    if (ranks.length > 1) backend.synchronize(); // the ranks' devices go on by themselves, and read what it has written
    threads.run(all -> losses[all.rank()] = ranks[all.rank()].launch(groups, step));
    Updater.Launched update = updater.launch(profile);
    if (profile != null) profile.endStep();
    int sequences = 0, tokens = 0;
    for (EncodedGroup g : groups) {
      sequences += g.pairs().size();
      tokens += g.tokens();
    }
    return new Launched(losses[0], update, sequences, tokens);
  }

  /** The optimizer and its states, for checkpoints. */
  public Updater updater() {
    return updater;
  }

  /** The gradient of the last step, laid out as the weights. */
  public Slab gradients() {
    return gradients;
  }

  /**
   * Has all memory ready that steps of this size take; without it, workspaces grow as batches come.
   *
   * @param blocks of a step
   * @param samples of a block
   * @param length the most tokens of a sample
   */
  public void reserve(int blocks, int samples, int length) {
    for (RankStep r : ranks) r.reserve(blocks / split.groups(), samples, length);
  }

  /** What the step and the weights hold now. */
  public MemoryPlan memory() {
    long states = updater.states().values().stream().mapToLong(Slab::bytes).sum();
    long workspace = Arrays.stream(ranks).mapToLong(RankStep::workspaceBytes).sum();
    long selection = Arrays.stream(ranks).mapToLong(RankStep::selectionBytes).sum();
    return new MemoryPlan(weights, gradients.bytes() * ranks.length, states, workspace + updater.workspaceBytes(),
        selection);
  }

  /** Bytes of the workspaces that each rank's programs share, and of those that selecting negatives takes. */
  public long workspaceBytes() {
    return Arrays.stream(ranks).mapToLong(r -> r.workspaceBytes() + r.selectionBytes()).sum();
  }

  @Override public void close() {
    while (!opened.isEmpty()) opened.pop().run();
  }
}
