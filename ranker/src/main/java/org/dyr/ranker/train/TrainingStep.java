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
import org.dyr.op.Value;
import org.dyr.optim.Optimizer;
import org.dyr.optim.Updater;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;

/**
 * One optimizer step: the groups in micro-batches under a token budget, each forward and backward, the gradients gathered in
 * place; then clip and update. The loss is the mean over all groups of the step, however they are cut into micro-batches.
 */
public final class TrainingStep implements AutoCloseable {
  private static final String WEIGHT = "weight";

  /** What a program is made for: the first micro-batch of a step writes the gradients, the others add to them. */
  private record Mode(Bucket bucket, boolean accumulate) {}

  /**
   * What a step did.
   *
   * @param applied false when the gradient was not finite: the weights are as before
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
    this.model = model;
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
    batch = new PackedBatch(new Bucket(tokens, tokens, tokens));
    int bytes = weights.type().bytes();
    weight = arena.allocate(bytes, Double.BYTES);
    scale = arena.allocate(bytes, Double.BYTES);
    loss = arena.allocate(bytes, Double.BYTES);
  }

  private Compiler.Compiled compile(Mode mode) {
    Pass pass = new Pass(model.weights(), mode.bucket, true);
    Value logits = model.bert().apply(pass);
    GroupLoss.record(pass.graph(), logits, pass.groups(), pass.scalar(WEIGHT));
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
   * Runs a step.
   *
   * @param groups each with its positive first
   * @param step from 0
   */
  public Result run(List<List<EncodedPair>> groups, long step, double learningRate) {
    double total = 0;
    int sequences = 0, tokens = 0;
    for (int from = 0; from < groups.size(); ) {
      int to = pack(groups, from, sequences);
      batch.random(seed, (int) step);
      total += runBatch(from > 0, 1.0 / groups.size());
      sequences += batch.sequences();
      tokens += batch.tokens();
      from = to;
    }
    boolean applied = updater.step(learningRate, step, 1, profile);
    return new Result(total, updater.gradientNorm(), applied, sequences, tokens);
  }

  /** Packs groups from {@code from} on until the budget is reached; returns the next. */
  private int pack(List<List<EncodedPair>> groups, int from, int number) {
    batch.clear();
    int to = from;
    for (; to < groups.size(); to++) {
      int length = 0;
      for (EncodedPair p : groups.get(to)) length += p.length();
      if (to == from && length > budget) {
        throw new IllegalArgumentException(
            "a group of %d tokens does not fit token_budget %d: raise it, or lower max_length or group_size"
                .formatted(length, budget));
      }
      if (batch.tokens() + length > budget) break;
      for (EncodedPair p : groups.get(to)) batch.add(p.ids(), p.firstSegment(), number++);
      batch.endGroup();
    }
    return to;
  }

  private double runBatch(boolean accumulate, double share) {
    Bucket bucket = batch.bucket();
    Program program = programs.get(new Mode(bucket, accumulate));
    batch.writeTo(program, bucket);
    set(weight, share);
    set(scale, 1);
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

  /** Bytes of the workspace that the programs share. */
  public long workspaceBytes() {
    return programs.workspaceBytes();
  }

  @Override public void close() {
    programs.close();
    updater.close();
    gradients.close();
    batch.close();
    arena.close();
  }
}
