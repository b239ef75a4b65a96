package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.ints;
import static org.dyr.cpu.vector.Operation.random;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.dyr.op.GroupCrossEntropy;
import org.junit.jupiter.api.Test;

/** Groups of 8, 1, 0 and 4 samples, and two samples of no group. */
class GroupCrossEntropyKernelTest {

  private static final int[] GROUPS = {0, 8, 9, 9, 13};
  private static final int SAMPLES = 15;

  @Test void lossIsThatOfThePlainLoop() {
    GroupCrossEntropy op = new GroupCrossEntropy();
    try (Operation o = new Operation(1, op, 0, floats(SAMPLES, 1), ints(5))) {
      o.set(0, random(1, SAMPLES, 30)).set(1, GROUPS).reference();
      float[] expected = o.output(0);
      o.run((p, w) -> new GroupCrossEntropyKernel(op, p, w));
      assertArrayEquals(expected, o.output(0));
      assertEquals(0, o.output(0)[2]);
    }
  }

  @Test void gradientIsThatOfThePlainLoop() {
    GroupCrossEntropy.Grad op = new GroupCrossEntropy.Grad();
    try (Operation o = new Operation(1, op, 0, floats(4), floats(SAMPLES, 1), ints(5))) {
      o.set(0, random(2, 4, 1)).set(1, random(1, SAMPLES, 3)).set(2, GROUPS).reference();
      float[] expected = o.output(0);
      o.run((p, w) -> new GroupCrossEntropyKernel.Grad(op, p, w));
      assertArrayEquals(expected, o.output(0));
      assertEquals(0, o.output(0)[13]);
      assertEquals(0, o.output(0)[14]);
    }
  }
}
