package org.dyr.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/**
 * What the optimizers' kernels share. Their inputs are the parameters p (N), the optimizer's own slabs (N), the
 * gradients g (N), the factor that scales g, which is NaN for a step to be left out, and the numbers of the step.
 */
public abstract class UpdateKernel implements Kernel {
  protected final long p;
  protected final long g;
  protected final Chunks chunks;
  protected final Workers workers;
  private final long[] inputs;
  private final MemorySegment factor; // (1)
  private final MemorySegment hyper;  // (HYPER)

  /** What g is multiplied by. */
  protected float scale;

  protected UpdateKernel(List<Update.Segment> segments, Operands o, Workers workers) {
    this.workers = workers;
    inputs = new long[o.inputs().length];
    for (int i = 0; i < inputs.length; i++) inputs[i] = o.inputs()[i].address();
    factor = o.inputs()[inputs.length - 2].segment();
    hyper = o.inputs()[inputs.length - 1].segment();
    p = inputs[0];
    g = inputs[inputs.length - 3];
    chunks = new Chunks(segments);
  }

  /** The optimizer's own slab, from 1. */
  protected final long state(int i) {
    return inputs[i];
  }

  /** A number of this step. */
  protected final float hyper(int i) {
    return hyper.getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  @Override public final void launch() {
    scale = factor.get(ValueLayout.JAVA_FLOAT, 0);
    if (!Float.isNaN(scale) && chunks.count > 0) step();
  }

  /** The step, with {@link #scale} set. */
  protected abstract void step();

  /** Each parameter's weight decay. */
  protected static float[] decays(List<Update.Segment> segments, double decay) {
    float[] decays = new float[segments.size()];
    for (int i = 0; i < decays.length; i++) decays[i] = segments.get(i).decay() ? (float) decay : 0;
    return decays;
  }
}
