package org.dyr.ranker.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.DoubleSupplier;
import org.dyr.collective.Collective;
import org.dyr.collective.RankBackend;
import org.dyr.collective.ThroughHost;
import org.dyr.device.Backend;
import org.dyr.device.Fetch;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.Graph;
import org.dyr.graph.Profile;
import org.dyr.graph.Program;
import org.dyr.graph.ProgramCache;
import org.dyr.loss.GroupLoss;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Pass;
import org.dyr.op.AllGather;
import org.dyr.op.Gather;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.Value;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * What one rank does in a step: its samples of its group's blocks, in micro-batches, each forward and backward, the
 * gradients gathered in place; then all ranks' gradients are added.
 *
 * <p>Where a block is split along ranks, their logits are gathered and brought into the order of the blocks, and every
 * rank computes the loss of whole blocks:
 *
 * <pre>
 * order    i32(R S)  the row of each sample among the gathered logits, block after block
 * blocks   i32(G+1)  block g has the samples blocks[g]..blocks[g+1]-1 in that order, the positive first
 * </pre>
 */
final class RankStep implements AutoCloseable {

  /** What a program is made for: the first micro-batch of a step writes the gradients, the others add to them. */
  private record Mode(Bucket bucket, boolean accumulate) {}

  private static final String WEIGHT = "weight";
  private static final String ORDER = "order";
  private static final String BLOCKS = "blocks";

  /** The most tokens that are scored at once to select negatives: enough for the matrix products, little workspace. */
  private static final int SCORED = 2048;

  private final Deque<Runnable> opened = new ArrayDeque<>();
  private final StepSettings settings;
  private final Collective ranks;
  private final Collective group;
  private final Model model;
  private final Compiler compiler;
  private final Slab gradients;
  private final Slab sum;
  private final Span lossScale;
  private final ProgramCache<Mode> programs;
  private final PackedBatch batch;
  private final NegativeSelection selection;
  private final MemorySegment order;
  private final MemorySegment blocks;
  private final MemorySegment weight;
  private Profile profile;
  private boolean checkNan;

  /**
   * A rank, called in its own thread together with the others. Takes over the device where it is not the model's.
   *
   * @param model its weights are shared by all ranks of the process
   * @param sum where the gradients of all ranks are added; that of rank 0 for itself too
   * @param lossScale (1): what the loss is multiplied by, in the memory of all ranks
   */
  RankStep(Model model, Backend device, Slab sum, Span lossScale, StepSettings settings, Collective ranks) {
    this.settings = settings;
    this.ranks = ThroughHost.of(ranks, device);
    this.sum = sum;
    this.lossScale = lossScale;
    boolean complete = false;
    try {
      if (device != model.backend()) opened.push(device::close);
      group = this.ranks.split(ranks.rank() / settings.split().along());
      Backend backend = group.size() > 1 ? new RankBackend(device, group) : device;
      this.model = model.on(backend);
      compiler = new Compiler(backend, settings.fusionsOff(), settings.recompute());
      gradients = ranks.rank() == 0 ? sum : backend.allocate(sum.bytes(), "gradients of rank " + ranks.rank());
      if (gradients != sum) opened.push(gradients::close);
      programs = new ProgramCache<>(backend, this::compile);
      opened.push(programs::close);
      selection = new NegativeSelection(this.model, settings.compression(), Math.min(settings.tokens(), SCORED),
          settings.fusionsOff(), group);
      opened.push(selection::close);
      Bucket most = Bucket.of(settings.tokens(), settings.tokens(), settings.tokens());
      batch = new PackedBatch(most);
      opened.push(batch::close);
      Arena arena = Arena.ofShared();
      opened.push(arena::close);
      order = arena.allocate(ValueLayout.JAVA_INT, group.size() > 1 ? (long) group.size() * most.sequences() : 0);
      blocks = arena.allocate(ValueLayout.JAVA_INT, group.size() > 1 ? most.groups() + 1 : 0);
      weight = arena.allocate(model.weights().type().bytes(), Double.BYTES);
      complete = true;
    } finally {
      if (!complete) close();
    }
  }

  private Compiler.Compiled compile(Mode mode) {
    Pass pass = new Pass(model.weights(), mode.bucket, true, model.compute());
    Value logits = model.bert().apply(pass);
    boolean along = group.size() > 1;
    if (along) logits = gathered(pass.graph(), logits);
    Value bounds = along ? pass.graph().input(BLOCKS, Spec.of(DType.I32, mode.bucket.groups() + 1)) : pass.groups();
    GroupLoss.record(pass.graph(), logits, bounds, pass.scalar(WEIGHT),
        settings.compression().form() == Compression.Form.IN_GRAPH ? settings.compression().kept()
            : GroupCrossEntropy.ALL);
    Value scale = pass.graph().bound(Spec.of(model.weights().type(), 1), lossScale);
    return compiler.compile(pass.graph(), GroupLoss.LOSS, scale, pass.gradients(gradients), mode.accumulate);
  }

  /** The logits of all ranks of the group in the order of the blocks. */
  private Value gathered(Graph graph, Value logits) {
    try (Graph.Scope s = graph.scope("ranks")) {
      Value all = graph.emit1(new AllGather(group.size()), logits);
      return graph.emit1(new Gather(), all, graph.input(ORDER, Spec.of(DType.I32, all.shape().dim(0))));
    }
  }

  void profile(Profile profile) {
    this.profile = profile;
  }

  void checkNan(boolean check) {
    checkNan = check;
  }

  /**
   * Launches this rank's part of a step and adds the gradients of all; several ranks wait for each other.
   *
   * @param all the blocks of the step, of every group of ranks
   * @return the loss of the step, the same in every rank; one rank waits for it no sooner than it is asked for
   */
  DoubleSupplier launch(List<EncodedGroup> all, long step) {
    int count = all.size() / settings.split().groups(), first = ranks.rank() / group.size() * count;
    int number = 0;
    for (EncodedGroup before : all.subList(0, first)) number += before.pairs().size();
    List<EncodedGroup> mine = all.subList(first, first + count);
    List<int[]> staying = selection.select(mine);
    List<MicroBatch> cuts =
        MicroBatch.cut(lengths(mine, staying), group.size(), settings.split().balance(), settings.tokens());
    List<DoubleSupplier> losses = new ArrayList<>();
    for (MicroBatch m : cuts) {
      number = pack(mine, staying, m, number);
      batch.random(settings.seed(), (int) step);
      losses.add(launch(m, m.from() > 0, 1.0 / all.size()));
    }
    ranks.allReduce(gradients.span(0, sum.bytes()), sum.span(0, sum.bytes()), model.weights().type());
    DoubleSupplier total = () -> losses.stream().mapToDouble(DoubleSupplier::getAsDouble).reduce(0, Double::sum);
    if (ranks.size() == 1) return total;
    double known = ranks.sum(group.rank() == 0 ? total.getAsDouble() : 0);
    model.backend().synchronize();
    return () -> known;
  }

  private static List<int[]> lengths(List<EncodedGroup> groups, List<int[]> staying) {
    List<int[]> lengths = new ArrayList<>();
    for (int g = 0; g < groups.size(); g++) {
      int[] places = staying.get(g), of = new int[places.length];
      for (int i = 0; i < of.length; i++) of[i] = groups.get(g).pairs().get(places[i]).length();
      lengths.add(of);
    }
    return lengths;
  }

  /**
   * Packs this rank's samples of a micro-batch.
   *
   * @param number the first sequence's number in the global batch; those that do not stay are counted, so that
   *     dropout's masks do not depend on them
   * @return the number of the first sequence behind the micro-batch
   */
  private int pack(List<EncodedGroup> groups, List<int[]> staying, MicroBatch m, int number) {
    batch.clear();
    for (int g = m.from(); g < m.to(); g++) {
      List<EncodedPair> pairs = groups.get(g).pairs();
      int[] places = staying.get(g), owners = m.owners().get(g - m.from());
      for (int i = 0; i < places.length; i++) {
        EncodedPair pair = pairs.get(places[i]);
        if (owners[i] == group.rank()) batch.add(pair.ids(), pair.firstSegment(), number + places[i]);
      }
      number += pairs.size();
      batch.endGroup();
    }
    return number;
  }

  private DoubleSupplier launch(MicroBatch m, boolean accumulate, double share) {
    Program program = programs.get(new Mode(m.bucket(), accumulate));
    batch.writeTo(program, m.bucket());
    if (group.size() > 1) {
      m.writeTo(order, blocks, group.size());
      program.write(ORDER, order);
      program.write(BLOCKS, blocks);
    }
    if (isDouble()) weight.set(ValueLayout.JAVA_DOUBLE, 0, share);
    else weight.set(ValueLayout.JAVA_FLOAT, 0, (float) share);
    program.write(WEIGHT, weight);
    if (checkNan) program.runChecked();
    else if (profile != null) program.run(profile);
    else program.run();
    MemorySegment loss = MemorySegment.ofArray(new double[1]);
    Fetch fetch = program.fetch(GroupLoss.LOSS, loss);
    return () -> {
      fetch.await();
      return isDouble() ? loss.get(ValueLayout.JAVA_DOUBLE, 0) : loss.get(ValueLayout.JAVA_FLOAT, 0);
    };
  }

  private boolean isDouble() {
    return model.weights().type() == DType.F64;
  }

  /**
   * Has the workspaces ready for the largest micro-batch that blocks of this size make.
   *
   * @param blocks of the rank's group of ranks in a step
   * @param samples of a block, before any selection
   * @param length the most tokens of a sample
   */
  void reserve(int blocks, int samples, int length) {
    int staying = settings.compression().form() == Compression.Form.TWO_PASS
        ? Math.min(samples, settings.compression().kept() + 1) : samples;
    int share = Math.ceilDiv(staying, group.size());
    long all = (long) blocks * share * length;
    int tokens = (int) Math.min(settings.tokens(), all);
    Bucket most = Bucket.of(tokens, (int) Math.min(tokens, (long) blocks * share), blocks);
    // The second micro-batch's program adds to the gradients, and cannot live in their places: it is the larger.
    if (all > settings.tokens()) programs.reserve(compile(new Mode(most, true)).plan().bytes());
    programs.reserve(compile(new Mode(most, false)).plan().bytes());
    selection.reserve();
  }

  /** Bytes of the workspace that the programs share. */
  long workspaceBytes() {
    return programs.workspaceBytes();
  }

  /** Bytes of the workspaces that selecting negatives takes. */
  long selectionBytes() {
    return selection.workspaceBytes();
  }

  @Override public void close() {
    while (!opened.isEmpty()) opened.pop().run();
  }
}
