package org.dyr.tests.endtoend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.graph.Backprop;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.Program;
import org.dyr.loss.GroupLoss;
import org.dyr.nn.Bert;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Pass;
import org.dyr.nn.Weights;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.Value;
import org.dyr.tensor.DType;

/** One program of a BERT for one bucket, F32 or F64: its logits, and in training its loss and gradients too. */
public final class BertProgram implements AutoCloseable {
  private static final String LOGITS = "logits";
  private static final String WEIGHT = "weight";

  private final Weights weights;
  private final Bucket bucket;
  private final boolean training;
  private final Slab gradients;
  private final Slab workspace;
  private final Program program;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment weight;
  private final MemorySegment one;
  private final MemorySegment loss;
  private final MemorySegment logits; // (S,1)

  public BertProgram(Backend backend, Bert bert, Weights weights, Bucket bucket, boolean training,
      Set<String> fusionsOff) {
    this(bert, weights, bucket, training, new Compiler(backend, fusionsOff));
  }

  public BertProgram(Bert bert, Weights weights, Bucket bucket, boolean training, Compiler compiler) {
    this(bert, weights, bucket, training, weights.compute(), compiler);
  }

  /** @param compute the type of the encoder */
  public BertProgram(Bert bert, Weights weights, Bucket bucket, boolean training, DType compute, Compiler compiler) {
    Backend backend = compiler.backend();
    this.weights = weights;
    this.bucket = bucket;
    this.training = training;
    int bytes = weights.type().bytes();
    weight = arena.allocate(bytes, Double.BYTES);
    one = arena.allocate(bytes, Double.BYTES);
    loss = arena.allocate(bytes, Double.BYTES);
    logits = arena.allocate((long) bucket.sequences() * bytes, Double.BYTES);
    gradients = backend.allocate(weights.bytes(), "gradients");
    Pass pass = new Pass(weights, bucket, training, compute);
    Value z = bert.apply(pass);
    pass.graph().output(LOGITS, z);
    Compiler.Compiled compiled;
    if (training) {
      GroupLoss.record(pass.graph(), z, pass.groups(), pass.scalar(WEIGHT), GroupCrossEntropy.ALL);
      compiled = compiler.compile(pass.graph(), GroupLoss.LOSS, pass.gradients(gradients), false);
    } else {
      compiled = compiler.compile(pass.graph());
    }
    workspace = backend.allocate(compiled.plan().bytes(), "workspace");
    program = compiled.program(backend, workspace);
  }

  /** Writes the batch, runs, and reads logits and loss; the loss is the mean over the batch's groups. */
  public void run(PackedBatch batch) {
    batch.writeTo(program, bucket);
    if (training) {
      set(weight, 1.0 / batch.groups());
      set(one, 1);
      program.write(WEIGHT, weight);
      program.write(Backprop.LOSS_SCALE, one);
    }
    program.run();
    program.read(LOGITS, logits);
    if (training) program.read(GroupLoss.LOSS, loss);
  }

  private void set(MemorySegment s, double x) {
    if (weights.type() == DType.F64) s.set(ValueLayout.JAVA_DOUBLE, 0, x);
    else s.set(ValueLayout.JAVA_FLOAT, 0, (float) x);
  }

  public double loss() {
    return at(loss, 0);
  }

  /** The logit of the batch's sequence {@code s}. */
  public double logit(int s) {
    return at(logits, s);
  }

  /** The first {@code n} logits. */
  public double[] logits(int n) {
    return doubles(logits.asSlice(0, (long) n * weights.type().bytes()));
  }

  /** Bytes of the program's workspace. */
  public long workspaceBytes() {
    return workspace.bytes();
  }

  /** Laid out as the weights. */
  public Slab gradients() {
    return gradients;
  }

  /** A parameter's numbers in the weights, or in its place in a slab laid out as them. */
  public double[] numbers(Slab in, Parameter p) {
    try (Arena host = Arena.ofConfined()) {
      return doubles(weights.view(in, p, host));
    }
  }

  private double[] doubles(MemorySegment s) {
    double[] x = new double[Math.toIntExact(s.byteSize() / weights.type().bytes())];
    for (int i = 0; i < x.length; i++) x[i] = at(s, i);
    return x;
  }

  private double at(MemorySegment s, int i) {
    return weights.type() == DType.F64 ? s.getAtIndex(ValueLayout.JAVA_DOUBLE, i)
        : s.getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  @Override public void close() {
    workspace.close();
    gradients.close();
    arena.close();
  }
}
