package org.dyr.ranker.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.dyr.device.Backend;
import org.dyr.device.Devices;
import org.dyr.device.OutOfDeviceMemory;
import org.dyr.graph.Profile;
import org.dyr.nn.BertConfig;
import org.dyr.optim.LossScale;
import org.dyr.optim.Optimizer;
import org.dyr.optim.Schedule;
import org.dyr.optim.UpdateTerms;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.NotFiniteScoreException;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.PairLengths;

/**
 * A training run: takes groups from the stream, steps, writes metrics, evaluates, keeps checkpoints and the best model.
 * All that happens is a function of config, seed and step, so a run that goes on from a checkpoint repeats, bit for
 * bit, what an uninterrupted one does.
 */
public final class Trainer implements AutoCloseable {

  /**
   * How a run is watched.
   *
   * @param profile time every node, and print the table at the end; the first ten steps, or half of a shorter run, are
   *     left out: the compiler is at work in them
   * @param checkNan check every node's outputs, and stop at the first that is not finite
   */
  public record Watch(boolean profile, boolean checkNan) {}

  private static final String BEST = "best";
  private static final String LAST = "model";

  /** Steps before the profile begins. */
  private static final long WARM_UP = 10;

  private final TrainConfig config;
  private final TrainingListener listener;
  private final RunLock lock;
  private final Checkpoints checkpoints;
  private final Backend backend;
  private final Model model;
  private final TrainingInput input;
  private final TrainingStep step;
  private final Scorer scorer;
  private final MemoryPlan memory;
  private final Schedule schedule;
  private final int groupsPerStep;
  private final List<String> notes = new ArrayList<>();
  private final Profile profile;
  private final Optional<CkptFolder> ckpts;
  private TrainingState state;
  private long logged; // steps of which the logs in out tell
  private long begun;  // steps done when this process began to train
  private Unreported launched;
  private long reportedAt;
  private Optional<Metrics> evaluation = Optional.empty();

  /**
   * Opens the device, loads data and model, and makes or finds the run's directory, which is this run's alone until it
   * is closed. When anything fails, all that was opened is closed and no checkpoint has been touched.
   *
   * @param resume a checkpoint, or the output directory of a run, to go on from
   * @throws ConfigException when the config does not fit the checkpoint or the model, {@code out} has another run's
   *     checkpoints, or another run is at work there
   */
  public Trainer(TrainConfig config, Optional<Path> resume, Watch watch, TrainingListener listener) throws IOException {
    this.config = config;
    this.listener = listener;
    Optional<Path> from = resume.map(Checkpoints::find);
    Files.createDirectories(config.out());
    Deque<Runnable> opened = new ArrayDeque<>();
    boolean complete = false;
    lock = new RunLock(config.out());
    opened.push(lock::close);
    try {
      checkpoints = new Checkpoints(config.out(), config.keepCheckpoints());
      checkpoints.open();
      boolean goesOnHere = from.isPresent() && checkpoints.has(from.get());
      if (checkpoints.any() && !goesOnHere) {
        throw new ConfigException("", ("out %s has the checkpoints of another run: go on with it (--resume %1$s), "
            + "name another out, or remove its folder checkpoints").formatted(config.out()));
      }
      int threads = config.threads() == 0 ? Runtime.getRuntime().availableProcessors() : config.threads();
      backend = Devices.open(config.device(), config.device(threads));
      opened.push(backend::close);
      StartingModel starting = new StartingModel(config, backend, notes);
      Model loaded = from.isPresent() ? starting.of(from.get()) : starting.fresh();
      model = loaded.in(config.computeType().type()).reading(
          new PairLengths(config.maxLength(), config.maxQueryLength()));
      opened.push(model::close);
      if (model.bert().config().maxPositions() < config.maxLength()) {
        throw new ConfigException("",
            "max_length %d is longer than the model's %d positions".formatted(config.maxLength(),
                model.bert().config().maxPositions()));
      }
      input = new TrainingInput(config, model);
      opened.push(input::close);
      step = new TrainingStep(model, optimizer(config.optimizer()), config.clipNorm(), config.step(),
          rank -> rankDevice(threads));
      opened.push(step::close);
      scorer = new Scorer(model, Set.copyOf(config.fusionsOff()));
      opened.push(scorer::close);
      profile = watch.profile() ? new Profile() : null;
      step.checkNan(watch.checkNan());
      groupsPerStep = config.batchGroups() * config.split().groups() * config.accumulate();
      memory = reserve();
      long total = config.maxSteps() > 0 ? config.maxSteps()
          : Math.ceilDiv((long) config.epochs() * input.groupsPerEpoch(), groupsPerStep);
      OptimizerConfig o = config.optimizer();
      schedule = new Schedule(o.learningRate(), o.endLearningRate(), o.power(), (long) (o.warmupRatio() * total),
          total);
      state = TrainingState.start(config.seed(), config.computeType().lossScale());
      ckpts = config.saveCkpt() ? Optional.of(new CkptFolder(config.out(), config.version())) : Optional.empty();
      if (ckpts.isPresent()) ckpts.get().open(model);
      if (from.isPresent()) goOn(from.get(), goesOnHere);
      if (ckpts.isPresent() && !goesOnHere) ckpts.get().begin();
      complete = true;
    } finally {
      if (!complete) opened.forEach(Runnable::run);
    }
  }

  /** Has all memory ready that the run will take. */
  private MemoryPlan reserve() {
    try {
      step.reserve(groupsPerStep, input.largestGroup(), config.maxLength());
      return step.memory().scoring(input.dev.isPresent() ? scorer.reserve() : 0);
    } catch (OutOfDeviceMemory e) {
      throw new OutOfDeviceMemory(e.getMessage() + "; " + MemoryPlan.REMEDY, e);
    }
  }

  /** One rank's part of the device. */
  private Backend rankDevice(int threads) {
    int share = Math.max(1, threads / config.split().ranks());
    return Devices.open(config.device(), config.device(share));
  }

  private static Optimizer optimizer(OptimizerConfig o) {
    return switch (o.name()) {
      case "adam_weight_decay" -> new Optimizer.AdamWeightDecay(o.beta1(), o.beta2(), o.eps(), o.weightDecay());
      case "momentum" -> new Optimizer.Momentum(o.momentum());
      default -> new Optimizer.Lamb(o.beta1(), o.beta2(), o.eps(), o.weightDecay());
    };
  }

  /** @param here whether it is one of this run's checkpoints: then its best model, logs and ckpt are here too */
  private void goOn(Path checkpoint, boolean here) throws IOException {
    state = Checkpoint.readState(checkpoint);
    if (state.seed() != config.seed()) {
      throw new ConfigException("", "seed is %d, the checkpoint was made with %d".formatted(config.seed(),
          state.seed()));
    }
    if (state.lossScale().isPresent() != config.computeType().lossScale().isPresent()) {
      state = state.withLossScale(config.computeType().lossScale());
      notes.add("the checkpoint was made with another compute_type: the loss scale begins anew");
    }
    OptionalInt groups = Checkpoint.readGroupsPerEpoch(checkpoint);
    if (groups.isPresent() && groups.getAsInt() != input.groupsPerEpoch()) {
      throw new ConfigException("", ("the data has %,d groups an epoch, and %s says %,d: a run goes on with the data "
          + "and relevant_from that it began with; others begin another run with that model (pretrained: %s)")
          .formatted(input.groupsPerEpoch(), checkpoint.resolve(Checkpoint.STATE), groups.getAsInt(), checkpoint));
    }
    if (!here && !Double.isNaN(state.best())) {
      state = state.withoutBest();
      notes.add("the best model so far stays with the run that it is of: the best of this one begins anew");
    }
    Checkpoint.readOptimizer(checkpoint, backend, model.weights(), step.updater());
    if (here) logged = state.step();
    if (here && ckpts.isPresent() && state.groups() > 0) ckpts.get().goOn(epoch(), stepOfEpoch());
    notes.add("going on from %s, after step %d".formatted(checkpoint, state.step()));
    if (!Files.readString(checkpoint.resolve(Checkpoint.CONFIG)).equals(config.toYaml())) {
      notes.add("the config differs from the checkpoint's %s: losses may differ too".formatted(Checkpoint.CONFIG));
    }
  }

  /**
   * Trains to the last step, or until {@code stop} says so: then the step is finished, a checkpoint written, and false
   * returned.
   */
  public boolean run(BooleanSupplier stop) throws IOException {
    checkpoints.removeAfter(state.step());
    listener.started(description(), state.step(), schedule.total());
    begun = state.step();
    long profiled = begun + Math.min(WARM_UP, (schedule.total() - begun) / 2);
    long evaluated = state.evaluationDue() ? logged - 1 : logged;
    try (MetricsLog metrics = new MetricsLog(config.out().resolve("metrics.jsonl"), logged);
        MetricsLog evaluations = new MetricsLog(config.out().resolve("evaluations.jsonl"), evaluated)) {
      if (state.evaluationDue()) evaluateOrSave(metrics, evaluations);
      while (state.step() < schedule.total()) {
        if (state.step() == profiled) step.profile(profile);
        oneStep(metrics);
        boolean epochEnds = input.epochOf(state.groups()) > input.epochOf(state.groups() - groupsPerStep);
        boolean last = state.step() == schedule.total(), stopped = stop.getAsBoolean() && !last;
        boolean evaluates = last || due(config.evalEvery(), epochEnds);
        boolean saves = last || stopped || due(config.checkpointEvery(), epochEnds);
        if (evaluates || saves) report(metrics);
        if (evaluates) evaluateOrSave(metrics, evaluations);
        if (saves) save();
        if (stopped) return false;
      }
    }
    checkpoints.replace(LAST, directory -> ModelDirectory.save(model, directory));
    listener.saved(config.out().resolve(LAST));
    return true;
  }

  private boolean due(int every, boolean epochEnds) {
    return every == 0 ? epochEnds : state.step() % every == 0;
  }

  /**
   * A step of which metrics are to be written; while there is one, {@link #state} is what it leads to if it makes its
   * update.
   *
   * @param before what it began with
   */
  private record Unreported(TrainingStep.Launched step, TrainingState before) {}

  /**
   * Launches a step. A device that works on its own goes on with the next while the metrics of this one come: it is
   * told what follows from either outcome.
   */
  private void oneStep(MetricsLog metrics) throws IOException {
    if (launched == null) reportedAt = System.nanoTime();
    TrainingStep.Launched now = launch(groups(metrics), metrics);
    report(metrics);
    launched = new Unreported(now, state);
    state = state.afterStep(groupsPerStep, true);
    if (now.isOver()) report(metrics);
  }

  /** The groups of the next step; where they cannot be read, the steps before it are not lost. */
  private List<EncodedGroup> groups(MetricsLog metrics) {
    try {
      return input.groups(state.groups(), groupsPerStep);
    } catch (RuntimeException e) {
      saveBefore(e, metrics);
      throw e;
    }
  }

  private TrainingStep.Launched launch(List<EncodedGroup> groups, MetricsLog metrics) {
    TrainingState ifSkipped = launched == null ? state : launched.before.afterStep(groupsPerStep, false);
    try {
      return step.launch(groups, state.step(), terms(state), terms(ifSkipped));
    } catch (GroupTooLargeException e) {
      saveBefore(e, metrics);
      throw e;
    }
  }

  /** Saves what was trained before a failure that is no fault of the weights; what fails besides goes with it. */
  private void saveBefore(Exception failure, MetricsLog metrics) {
    try {
      report(metrics);
      if (state.step() > begun) save();
    } catch (IOException | RuntimeException other) {
      failure.addSuppressed(other);
    }
  }

  /** What a step goes by that begins in this state. */
  private UpdateTerms terms(TrainingState s) {
    return new UpdateTerms(schedule.at(s.updates()), s.lossScale().map(LossScale::value).orElse(1.0), s.updates());
  }

  /** Awaits the step that was launched last and writes its metrics, where that has not been done. */
  private void report(MetricsLog metrics) throws IOException {
    if (launched == null) return;
    TrainingStep.Result r = launched.step.await();
    TrainingState before = launched.before;
    launched = null;
    state = before.afterStep(groupsPerStep, r.applied());
    boolean mayOverflow = before.lossScale().map(LossScale::canFall).orElse(false);
    if (!r.applied() && !mayOverflow) {
      throw new IllegalStateException(("the gradient of step %d is not finite (loss %s): --check-nan names the op; "
          + "a lower optimizer.learning_rate may help; the last checkpoint is untouched").formatted(state.step(),
          r.loss()));
    }
    UpdateTerms terms = terms(before);
    long now = System.nanoTime();
    double epoch = (double) state.groups() / input.groupsPerEpoch();
    var record = new TrainingListener.StepRecord(state.step(), epoch, r.loss(),
        terms.learningRate(), r.gradientNorm(), terms.lossScale(), state.skipped(), (now - reportedAt) / 1e9,
        r.sequences(), r.tokens());
    reportedAt = now;
    ObjectNode line = MetricsLog.JSON.createObjectNode();
    line.put("step", record.step()).put("epoch", record.epoch()).put("loss", record.loss())
        .put("lr", record.learningRate()).put("grad_norm", record.gradientNorm()).put("loss_scale", record.lossScale())
        .put("skipped", record.skipped()).put("seconds", record.seconds())
        .put("sequences", record.sequences()).put("tokens", record.tokens());
    metrics.write(line);
    listener.stepped(record);
  }

  /** A measurement that fails costs no step: the run can go on from here, and begins with it. */
  private void evaluateOrSave(MetricsLog metrics, MetricsLog evaluations) throws IOException {
    try {
      evaluate(evaluations);
    } catch (NotFiniteScoreException e) { // a checkpoint of such weights would take the place of the last good one
      throw e.with(("; that is the model after step %d: a lower optimizer.learning_rate may help; the last checkpoint is "
          + "untouched").formatted(state.step()));
    } catch (IOException | RuntimeException e) {
      saveBefore(e, metrics);
      throw e;
    }
  }

  /** Measures MRR@10 over all judged dev queries and keeps the model when it is the best so far. */
  private void evaluate(MetricsLog evaluations) throws IOException {
    state = state.withEvaluationDue(input.dev.isPresent());
    if (input.dev.isEmpty()) return;
    Metrics m = input.dev.get().measure(scorer);
    evaluation = Optional.of(m);
    double mrr = m.overJudgedQueries().mrr10();
    // A run that goes on may have found so much before, and failed to write the line.
    boolean found = state.bestStep() == state.step();
    boolean best = found || Double.isNaN(state.best()) || mrr > state.best();
    if (best) {
      checkpoints.replace(BEST, directory -> ModelDirectory.save(model, directory));
      state = state.withBest(mrr); // where that failed, the checkpoint must not say that it is there
    }
    evaluations.write(MetricsLog.JSON.createObjectNode().put("step", state.step()).put("mrr@10", mrr)
        .put("ndcg@10", m.overJudgedQueries().ndcg10()).put("queries", m.judgedQueries()).put("best", best));
    state = state.withEvaluationDue(false);
    listener.evaluated(state.step(), m, best);
  }

  private void save() throws IOException {
    checkpoints.publish(state.step(),
        directory -> Checkpoint.write(directory, model, step.updater(), state, input.groupsPerEpoch(), config));
    if (ckpts.isPresent()) ckpts.get().write(model, epoch(), stepOfEpoch());
    listener.saved(config.out().resolve("checkpoints"));
  }

  /** The epoch, from 1, of the last group taken. */
  private long epoch() {
    return input.epochOf(state.groups() - 1) + 1;
  }

  /** Steps of that epoch so far; one that began in the epoch before counts. */
  private long stepOfEpoch() {
    return Math.ceilDiv(state.groups() - (epoch() - 1) * input.groupsPerEpoch(), groupsPerStep);
  }

  private List<String> description() {
    List<String> lines = new ArrayList<>(notes);
    BertConfig b = model.bert().config();
    lines.add(String.format(Locale.ROOT, "model: %d layers of %d, %d heads, %,d parameters", b.layers(), b.hiddenSize(),
        b.heads(), model.weights().count()));
    if (b.relativePositions()) {
      lines.add("positions: relative, up to %d tokens each way".formatted(BertConfig.MOST_DISTANCE));
    }
    lines.addAll(input.description());
    List<String> sets = backend.kernelSets().stream().map(s -> s.name()).toList();
    lines.add("device: %s, kernels %s".formatted(backend.name(), sets));
    BlockSplit s = config.split();
    if (s.ranks() > 1) {
      lines.add("ranks: %d in %d groups; a step has %d blocks, each split along %d ranks by %s".formatted(s.ranks(),
          s.groups(), groupsPerStep, s.along(), config.balance()));
    }
    lines.add(memory.toString());
    memory.warning().ifPresent(lines::add);
    return lines;
  }

  /** Where the time went, when the run is watched so. */
  public Optional<String> profile() {
    return Optional.ofNullable(profile).map(p -> p.print(backend.measurePeak()));
  }

  /** Passages and queries cut so far, in training and evaluation. */
  public String truncation() {
    return input.truncation();
  }

  /** The newest evaluation of this process. */
  public Optional<Metrics> evaluation() {
    return evaluation;
  }

  /** Steps done so far. */
  public long steps() {
    return state.step();
  }

  @Override public void close() {
    try (lock) {
      scorer.close();
      step.close();
      input.close();
      model.close();
      backend.close();
    }
  }
}
