package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.ClipFactor;

/** The factor of {@link ClipFactor} and the norm sqrt(n2) / s, two scalars on the caller's thread. */
final class ClipFactorKernel implements Kernel {

  private final ClipFactor op;
  private final MemorySegment squares; // (1)
  private final MemorySegment scale;   // (1)
  private final MemorySegment factor;  // (1)
  private final MemorySegment norm;    // (1)

  ClipFactorKernel(ClipFactor op, Operands o, Workers workers) {
    this.op = op;
    squares = o.inputs()[0].segment();
    scale = o.inputs()[1].segment();
    factor = o.outputs()[0].segment();
    norm = o.outputs()[1].segment();
  }

  @Override public void launch() {
    double n2 = squares.get(ValueLayout.JAVA_FLOAT, 0), s = scale.get(ValueLayout.JAVA_FLOAT, 0);
    factor.set(ValueLayout.JAVA_FLOAT, 0, (float) op.factor(n2, s));
    norm.set(ValueLayout.JAVA_FLOAT, 0, (float) (Math.sqrt(n2) / s));
  }
}
