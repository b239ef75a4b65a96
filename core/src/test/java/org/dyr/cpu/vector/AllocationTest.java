package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.ints;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.cpu.LambKernel;
import org.dyr.device.Kernel;
import org.dyr.op.AllFinite;
import org.dyr.op.ClipFactor;
import org.dyr.op.Gather;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.Op;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A launch allocates no heap object, on the caller's thread and on the workers, once it is compiled. */
class AllocationTest {

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final int LAUNCHES = 100;
  private static final int ROUNDS = 100;
  private static final int N = 9_011;
  private static final List<Update.Segment> SEGMENTS =
      List.of(new Update.Segment("a", 0, 11, true), new Update.Segment("b", 16, N - 16, false));

  static Stream<Arguments> kernels() {
    Spec x = floats(N), one = floats(1), hyper = floats(Update.HYPER);
    SumSquares squares = new SumSquares();
    Update.Lamb lamb = new Update.Lamb(SEGMENTS, 0.9, 0.999, 1e-6, 0.01);
    Update.AdamWeightDecay adam = new Update.AdamWeightDecay(SEGMENTS, 0.9, 0.999, 1e-6, 0.01);
    Update.Momentum momentum = new Update.Momentum(SEGMENTS, 0.9);
    return Stream.of(
        of(new Gather(), 0, (p, w) -> new GatherKernel(new Gather(), p, w), floats(9, 100), ints(200)),
        of(new Gather.Grad(900), 0, (p, w) -> new GatherGradKernel(new Gather.Grad(900), p, w), floats(200, 100),
            ints(200)),
        of(squares, SumSquaresKernel.scratchBytes(squares, new Spec[] {x}),
            (p, w) -> new SumSquaresKernel(squares, p, w), x),
        of(new AllFinite(), 0, (p, w) -> new AllFiniteKernel(new AllFinite(), p, w), x),
        of(new ClipFactor(1), 0, (p, w) -> new ClipFactorKernel(new ClipFactor(1), p, w), one, one),
        of(new GroupCrossEntropy(), 0, (p, w) -> new GroupCrossEntropyKernel(new GroupCrossEntropy(), p, w),
            floats(8, 1), ints(2)),
        of(new GroupCrossEntropy.Grad(), 0,
            (p, w) -> new GroupCrossEntropyKernel.Grad(new GroupCrossEntropy.Grad(), p, w), one, floats(8, 1), ints(2)),
        of(lamb, LambKernel.scratchBytes(lamb, new Spec[0]), (p, w) -> new LambVector(lamb, p, w), x, x, x, x, one,
            hyper),
        of(adam, 0, (p, w) -> new AdamWeightDecayKernel(adam, p, w), x, x, x, x, one, hyper),
        of(momentum, 0, (p, w) -> new MomentumKernel(momentum, p, w), x, x, x, one, hyper));
  }

  private static Arguments of(Op op, long scratch, Operation.Maker maker, Spec... in) {
    return Arguments.of(op.name(), op, scratch, maker, in);
  }

  /** Rounds run until one is free of allocation: the first ones are interpreted, and vectors are objects there. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("kernels")
  void launchAllocatesNothing(String name, Op op, long scratch, Operation.Maker maker, Spec[] in) {
    try (Operation o = new Operation(2, op, scratch, in)) {
      for (int i = 0; i < in.length; i++) {
        int n = (int) in[i].shape().size();
        if (in[i].equals(ints(2))) o.set(i, 0, 8);
        else o.set(i, new float[n]);
      }
      Kernel kernel = o.kernel(maker);
      long[] threads = o.threads();
      long bytes = Long.MAX_VALUE;
      for (int round = 0; round < ROUNDS && bytes != 0; round++) {
        long before = allocated(threads);
        for (int i = 0; i < LAUNCHES; i++) kernel.launch();
        bytes = allocated(threads) - before;
      }
      assertEquals(0, bytes, "bytes allocated by " + LAUNCHES + " launches");
    }
  }

  private static long allocated(long[] threads) {
    long sum = 0;
    for (long id : threads) sum += THREADS.getThreadAllocatedBytes(id);
    return sum;
  }
}
