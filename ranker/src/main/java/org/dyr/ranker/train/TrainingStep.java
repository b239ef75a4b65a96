package org.dyr.ranker.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;
import org.dyr.device.Slab;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.Backprop;
import org.dyr.graph.Profile;
import org.dyr.graph.Program;
import org.dyr.graph.ProgramCache;
import org.dyr.loss.GroupLoss;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Pass;
import org.dyr.nn.Weights;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.Value;
import org.dyr.optim.Optimizer;
import org.dyr.optim.Updater;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;

/**
 * One optimizer step: the groups in micro-batches under a token budget, each forward and backward, the gradients
 * gathered in place; then clip and update. The loss is the mean over all groups of the step, however they are cut into
 * micro-batches.
 */
public final class TrainingStep implements AutoCloseable {
  private static final String WEIGHT = "weight";

  /** The most tokens that are scored at once to select negatives: enough for the matrix products, little workspace. */
  private static final int SCORED = 2048;

  /** What a program is made for: the first micro-batch of a step writes the gradients, the others add to them. */
  private record Mode(Bucket bucket, boolean accumulate) {}

  /**
   * What a step did.
   *
   * @param applied false when the gradient was not finite: the weights are as before
   * @param sequences of all blocks, those dropped by compression among them; tokens likewise
   */
  public record Result(double loss, double gradientNorm, boolean applied, int sequences, int tokens) {}

  private final Model model;
  private final Compiler compiler;
  private final long seed;
  private final int budget;
  private final Slab gradients;
  private final Updater updater;
  private final ProgramCache<Mode> programs;
  private final PackedBatch batch;
  private final Compression compression;
  private final NegativeSelection selection;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment weight;
  private final MemorySegment scale;
  private final MemorySegment loss;
  private Profile profile;
  private boolean checkNan;

  /**
   * @param clipNorm the global norm that gradients are clipped to; 0 never clips
   * @param seed what dropout follows from
   * @param tokens the most tokens of a micro-batch; a group is never split, so a larger group makes a larger batch
   * @param fusionsOff names of fusions to switch off
   */
  public TrainingStep(Model model, Optimizer optimizer, double clipNorm, long seed, int tokens, Set<String> fusionsOff) {
    this(model, optimizer, clipNorm, seed, tokens, fusionsOff, Compression.NONE);
  }

  /** With compression of negatives. */
  public TrainingStep(Model model, Optimizer optimizer, double clipNorm, long seed, int tokens, Set<String> fusionsOff,
      Compression compression) {
    this.model = model;
    this.compression = compression;
    this.compiler = new Compiler(model.backend(), fusionsOff);
    this.seed = seed;
    this.budget = tokens;
    Weights weights = model.weights();
    gradients = model.backend().allocate(weights.bytes(), "gradients");
    try {
      updater = new Updater(model.backend(), weights, gradients, optimizer, clipNorm);
    } catch (RuntimeException | Error e) {
      gradients.close();
      throw e;
    }
    programs = new ProgramCache<>(model.backend(), this::compile);
    selection = new NegativeSelection(model, compression, Math.min(tokens, SCORED), fusionsOff);
    batch = new PackedBatch(new Bucket(tokens, tokens, tokens));
    int bytes = weights.type().bytes();
    weight = arena.allocate(bytes, Double.BYTES);
    scale = arena.allocate(bytes, Double.BYTES);
    loss = arena.allocate(bytes, Double.BYTES);
  }

  private Compiler.Compiled compile(Mode mode) {
    Pass pass = new Pass(model.weights(), mode.bucket, true, model.compute());
    Value logits = model.bert().apply(pass);
    GroupLoss.record(pass.graph(), logits, pass.groups(), pass.scalar(WEIGHT),
        compression.form() == Compression.Form.IN_GRAPH ? compression.kept() : GroupCrossEntropy.ALL);
    return compiler.compile(pass.graph(), GroupLoss.LOSS, pass.gradients(gradients), mode.accumulate);
  }

  /** Has every further step's nodes timed; null ends it. */
  public void profile(Profile profile) {
    this.profile = profile;
  }

  /** Has every further step checked node by node for infinite values and NaN. */
  public void checkNan(boolean check) {
    checkNan = check;
  }

  /**
   * Runs a step without a loss scale.
   *
   * @param step from 0
   */
  public Result run(List<EncodedGroup> groups, long step, double learningRate) {
    return run(groups, step, step, learningRate, 1);
  }

  /**
   * Runs a step.
   *
   * @param step from 0: dropout follows from it
   * @param updates made so far: Lamb's bias corrections follow from it
   * @param lossScale what the gradients are multiplied by until they are clipped
   */
  public Result run(List<EncodedGroup> groups, long step, long updates, double learningRate, double lossScale) {
    List<int[]> staying = selection.select(groups);
    double total = 0;
    int sequences = 0, tokens = 0;
    for (int from = 0; from < groups.size(); ) {
      int to = pack(groups, staying, from, sequences);
      batch.random(seed, (int) step);
      total += runBatch(from > 0, 1.0 / groups.size(), lossScale);
      for (; from < to; from++) {
        sequences += groups.get(from).pairs().size();
        tokens += groups.get(from).tokens();
      }
    }
    boolean applied = updater.step(learningRate, updates, lossScale, profile);
    return new Result(total, updater.gradientNorm(), applied, sequences, tokens);
  }

  /**
   * Packs what stays of the groups from {@code from} on until the budget is reached; returns the next.
   *
   * @param number the first sequence's number in the global batch; those that do not stay are counted, so that
   *     dropout's masks do not depend on them
   */
  private int pack(List<EncodedGroup> groups, List<int[]> staying, int from, int number) {
    batch.clear();
    int to = from;
    for (; to < groups.size(); to++) {
      List<EncodedPair> pairs = groups.get(to).pairs();
      int length = 0;
      for (int i : staying.get(to)) length += pairs.get(i).length();
      if (to == from && length > budget) {
        throw new IllegalArgumentException(
            "a group of %d tokens does not fit token_budget %d: raise it, or lower max_length or group_size"
                .formatted(length, budget));
      }
      if (batch.tokens() + length > budget) break;
      for (int i : staying.get(to)) batch.add(pairs.get(i).ids(), pairs.get(i).firstSegment(), number + i);
      number += pairs.size();
      batch.endGroup();
    }
    return to;
  }

  private double runBatch(boolean accumulate, double share, double lossScale) {
    Bucket bucket = batch.bucket();
    Program program = programs.get(new Mode(bucket, accumulate));
    batch.writeTo(program, bucket);
    set(weight, share);
    set(scale, lossScale);
    program.write(WEIGHT, weight);
    program.write(Backprop.LOSS_SCALE, scale);
    if (checkNan) program.runChecked();
    else if (profile != null) program.run(profile);
    else program.run();
    program.read(GroupLoss.LOSS, loss);
    return isDouble() ? loss.get(ValueLayout.JAVA_DOUBLE, 0) : loss.get(ValueLayout.JAVA_FLOAT, 0);
  }

  private boolean isDouble() {
    return model.weights().type() == DType.F64;
  }

  private void set(MemorySegment s, double x) {
    if (isDouble()) s.set(ValueLayout.JAVA_DOUBLE, 0, x);
    else s.set(ValueLayout.JAVA_FLOAT, 0, (float) x);
  }

  /** The optimizer and its states, for checkpoints. */
  public Updater updater() {
    return updater;
  }

  /** The gradient of the last step, laid out as the weights. */
  public Slab gradients() {
    return gradients;
  }

  /** Bytes of the workspace that the programs share, and of those that selecting negatives takes. */
  public long workspaceBytes() {
    return programs.workspaceBytes() + selection.workspaceBytes();
  }

  @Override public void close() {
    selection.close();
    programs.close();
    updater.close();
    gradients.close();
    batch.close();
    arena.close();
  }
}
