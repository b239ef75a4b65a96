package org.dyr.ranker.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.stream.IntStream;
import org.dyr.device.Fetch;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.NotFiniteException;
import org.dyr.graph.Profile;
import org.dyr.graph.Program;
import org.dyr.graph.ProgramCache;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Pass;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;

/**
 * Scores pairs: sorted by length, packed under a token budget, one inference program a batch, logits in the caller's
 * order. Safe for many threads: the weights are shared and read-only, and each call leases a workspace.
 */
public final class Scorer implements AutoCloseable {
  private static final String LOGITS = "logits";
  private static final int LEASES = 2;

  private final Model model;
  private final Compiler compiler;
  private final int budget;
  private final int layers;
  private final Queue<Lease> idle = new ArrayDeque<>();
  private int inUse;
  private volatile Profile profile;
  private boolean closed;

  /** A workspace with its programs; one caller has it at a time. */
  private final class Lease implements AutoCloseable {
    final ProgramCache<Bucket> programs = new ProgramCache<>(model.backend(), Scorer.this::compile);
    final PackedBatch batch = new PackedBatch(new Bucket(budget, budget, 1));
    final Arena arena = Arena.ofShared();
    private final MemorySegment[] logits = {allocate(), allocate()};
    private int next;

    private MemorySegment allocate() {
      return arena.allocate((long) Bucket.of(budget, budget, 1).sequences() * model.weights().type().bytes(), Double.BYTES);
    }

    /** Where a batch's logits go; those of the batch before last are read by then. */
    MemorySegment nextLogits() {
      return logits[next++ & 1];
    }

    @Override public void close() {
      programs.close();
      batch.close();
      arena.close();
    }
  }

  /** With a budget that suits the device. */
  public Scorer(Model model, Set<String> fusionsOff) {
    this(model, fusionsOff, model.backend().batchTokens());
  }

  /** @param tokens the most tokens that one batch packs; at least the model's longest sequence is taken */
  public Scorer(Model model, Set<String> fusionsOff, int tokens) {
    this(model, fusionsOff, tokens, model.bert().config().layers());
  }

  /** @param layers the encoder layers to take, the first ones, before the pooler and the head */
  public Scorer(Model model, Set<String> fusionsOff, int tokens, int layers) {
    this.model = model;
    this.layers = layers;
    this.compiler = new Compiler(model.backend(), fusionsOff);
    this.budget = Math.max(tokens, model.bert().config().maxPositions());
  }

  private Compiler.Compiled compile(Bucket bucket) {
    Pass pass = new Pass(model.weights(), bucket, false, model.compute());
    pass.graph().output(LOGITS, model.bert().apply(pass, layers));
    return compiler.compile(pass.graph());
  }

  /**
   * One logit a pair.
   *
   * @throws IllegalArgumentException when a pair is longer than the model has positions
   * @throws IllegalStateException after {@link #close}
   * @throws NotFiniteScoreException when a logit is not finite: the weights are damaged, or not a ranker's
   */
  public float[] score(List<EncodedPair> pairs) {
    for (EncodedPair p : pairs) {
      if (p.length() > model.bert().config().maxPositions()) {
        throw new IllegalArgumentException("a pair of %d tokens is longer than the model's %d positions".formatted(
            p.length(), model.bert().config().maxPositions()));
      }
    }
    int[] order = IntStream.range(0, pairs.size()).boxed()
        .sorted((a, b) -> Integer.compare(pairs.get(b).length(), pairs.get(a).length())).mapToInt(i -> i).toArray();
    float[] scores = new float[pairs.size()];
    Lease lease = take();
    try {
      scoreAll(lease, pairs, order, scores);
    } finally {
      giveBack(lease);
    }
    return scores;
  }

  /** Batch after batch; a device that works on its own has the next one before the logits of this one are read. */
  private void scoreAll(Lease lease, List<EncodedPair> pairs, int[] order, float[] scores) {
    Launched before = null, now = null;
    try {
      for (int from = 0; from < order.length; from = now.to) {
        now = launch(lease, pairs, order, from);
        if (before != null) collect(lease, before, pairs, order, scores);
        before = now;
      }
      if (before != null) collect(lease, before, pairs, order, scores);
    } catch (RuntimeException | Error e) {
      awaitAfter(e, now);
      throw e;
    }
  }

  /** Nothing may arrive in a workspace that is another's by then. */
  private static void awaitAfter(Throwable failure, Launched batch) {
    if (batch == null) return;
    try {
      batch.fetch.await();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  /** A workspace that nobody uses; made when there is none yet. Waits where all are in use. */
  private synchronized Lease take() {
    boolean interrupted = false;
    while (inUse == LEASES && !closed) interrupted |= !awaitChange();
    if (interrupted) Thread.currentThread().interrupt();
    if (closed) throw new IllegalStateException("the ranker is closed");
    Lease lease = idle.isEmpty() ? new Lease() : idle.remove();
    inUse++;
    return lease;
  }

  private synchronized void giveBack(Lease lease) {
    idle.add(lease);
    inUse--;
    notifyAll();
  }

  /** Whether the wait ended without an interrupt; a batch takes well under a second, so waits go on after one. */
  private boolean awaitChange() {
    try {
      wait();
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  /**
   * Has a workspace ready for batches as large as the token budget allows; returns its bytes. Calls at the same time
   * take another.
   */
  public long reserve() {
    Lease lease = take();
    try {
      int sequences = Math.ceilDiv(budget, model.bert().config().maxPositions());
      lease.programs.reserve(compile(Bucket.of(budget, sequences, 1)).plan().bytes());
      return lease.programs.workspaceBytes();
    } finally {
      giveBack(lease);
    }
  }

  /** A batch that may be under way: the pairs at the places [from,to) of the order. */
  private record Launched(int from, int to, MemorySegment logits, Fetch fetch) {}

  /** Packs pairs from a place of the order on until the batch is full, and launches it. */
  private Launched launch(Lease lease, List<EncodedPair> pairs, int[] order, int from) {
    int to = from;
    for (int tokens = 0; to < order.length; to++) {
      tokens += pairs.get(order[to]).length();
      if (to > from && tokens > budget) break;
    }
    Program program = packed(lease, pairs, order, from, to);
    Profile timed = profile;
    if (timed == null) program.run();
    else program.run(timed);
    MemorySegment logits = lease.nextLogits();
    return new Launched(from, to, logits, program.fetch(LOGITS, logits));
  }

  /** The program for these pairs, which are written to it. */
  private Program packed(Lease lease, List<EncodedPair> pairs, int[] order, int from, int to) {
    PackedBatch batch = lease.batch;
    batch.clear();
    for (int i = from; i < to; i++) {
      EncodedPair p = pairs.get(order[i]);
      batch.add(p.ids(), p.firstSegment(), i);
    }
    Program program = lease.programs.get(batch.bucket());
    batch.writeTo(program, batch.bucket());
    return program;
  }

  /** Waits for a batch, and puts its logits where they belong. */
  private void collect(Lease lease, Launched batch, List<EncodedPair> pairs, int[] order, float[] scores) {
    batch.fetch.await();
    for (int i = batch.from; i < batch.to; i++) {
      float logit = logit(batch.logits, i - batch.from);
      if (!Float.isFinite(logit)) throw explain(packed(lease, pairs, order, batch.from, batch.to), logit);
      scores[order[i]] = logit;
    }
  }

  private float logit(MemorySegment logits, int i) {
    return model.weights().type() == DType.F64 ? (float) logits.getAtIndex(ValueLayout.JAVA_DOUBLE, i)
        : logits.getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  /** Runs the batch again, node by node, for the place where it goes wrong. */
  private static NotFiniteScoreException explain(Program program, float logit) {
    try {
      program.runChecked();
    } catch (NotFiniteException e) {
      return new NotFiniteScoreException("the model gave %s: %s".formatted(logit, e.getMessage()), e);
    }
    return new NotFiniteScoreException("the model gave " + logit, null);
  }

  /** Has the nodes of every further batch timed, with one caller at a time; null ends it. */
  public void profile(Profile profile) {
    this.profile = profile;
  }

  /** Bytes of the workspaces that have been leased so far and are idle now. */
  public synchronized long workspaceBytes() {
    return idle.stream().mapToLong(lease -> lease.programs.workspaceBytes()).sum();
  }

  /** Waits for calls in progress and frees the workspaces. Closing twice is harmless. */
  @Override public synchronized void close() {
    closed = true;
    notifyAll();
    boolean interrupted = false;
    while (inUse > 0) interrupted |= !awaitChange();
    idle.forEach(Lease::close);
    idle.clear();
    if (interrupted) Thread.currentThread().interrupt();
  }
}
