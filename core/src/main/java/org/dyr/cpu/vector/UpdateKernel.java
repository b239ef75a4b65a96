package org.dyr.cpu.vector;

import java.util.List;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/**
 * What the optimizers' kernels share. Their inputs are the parameters p (N), the optimizer's own slabs (N), the
 * gradients g (N), the factor that scales g, which is NaN for a step to be left out, and the numbers of the step.
 */
abstract class UpdateKernel implements Kernel {
  final long p;
  final long g;
  final Chunks chunks;
  final Workers workers;
  private final long[] inputs;

  /** What g is multiplied by. */
  float scale;

  UpdateKernel(List<Update.Segment> segments, Operands o, Workers workers) {
    this.workers = workers;
    inputs = new long[o.inputs().length];
    for (int i = 0; i < inputs.length; i++) inputs[i] = o.inputs()[i].address();
    p = inputs[0];
    g = inputs[inputs.length - 3];
    chunks = new Chunks(segments);
  }

  /** The optimizer's own slab, from 1. */
  final long state(int i) {
    return inputs[i];
  }

  /** A number of this step. */
  final float hyper(int i) {
    return Floats.get(inputs[inputs.length - 1], i);
  }

  @Override public final void launch() {
    scale = Ram.get(inputs[inputs.length - 2]);
    if (!Float.isNaN(scale) && chunks.count > 0) step();
  }

  /** The step, with {@link #scale} set. */
  abstract void step();

  /** Each parameter's weight decay. */
  static float[] decays(List<Update.Segment> segments, double decay) {
    float[] decays = new float[segments.size()];
    for (int i = 0; i < decays.length; i++) decays[i] = segments.get(i).decay() ? (float) decay : 0;
    return decays;
  }
}
