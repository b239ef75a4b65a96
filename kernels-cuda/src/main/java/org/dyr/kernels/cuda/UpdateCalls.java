package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.List;
import org.dyr.device.Kernel;
import org.dyr.op.Update;

/**
 * The kernels of {@code update.cu}. Inputs p, the states, g (N), factor (1), hyper (3); the card reads all of them when
 * it is its turn, nothing comes back.
 */
final class UpdateCalls {
  private static final int SEGMENT_BYTES = 16;

  private UpdateCalls() {}

  /** The parameters' places as native code reads them, in memory of the host that lives as long as the kernel. */
  private record Table(MemorySegment memory, int count) {

    static Table of(List<Update.Segment> segments, double weightDecay) {
      MemorySegment memory = Arena.ofAuto().allocate((long) SEGMENT_BYTES * segments.size(), Long.BYTES);
      for (int i = 0; i < segments.size(); i++) {
        Update.Segment s = segments.get(i);
        MemorySegment at = memory.asSlice((long) SEGMENT_BYTES * i, SEGMENT_BYTES);
        at.set(ValueLayout.JAVA_LONG, 0, s.offset());
        at.set(ValueLayout.JAVA_INT, 8, s.length());
        at.set(ValueLayout.JAVA_FLOAT, 12, s.decay() ? (float) weightDecay : 0);
      }
      return new Table(memory, segments.size());
    }

    long address() {
      return memory.address();
    }
  }

  /** Bytes of the norms of each chunk and of the steps of each parameter. */
  static long lambScratch(Update.Lamb op) {
    Table table = Table.of(op.segments(), op.weightDecay());
    long bytes = CudaCalls.lambScratch(table.address(), table.count);
    Reference.reachabilityFence(table); // whose memory lives as long as it does
    return bytes;
  }

  static Kernel lamb(Binding o, Update.Lamb op) {
    Table table = Table.of(op.segments(), op.weightDecay());
    long p = o.in(0), m = o.in(1), v = o.in(2), g = o.in(3), factor = o.in(4), hyper = o.in(5), scratch = o.scratch(),
        stream = o.stream();
    return () -> check(CudaCalls.lamb(p, m, v, g, factor, hyper, table.address(), table.count, op.beta1(), op.beta2(),
        (float) op.eps(), scratch, stream));
  }

  static Kernel adamWeightDecay(Binding o, Update.AdamWeightDecay op) {
    Table table = Table.of(op.segments(), op.weightDecay());
    long p = o.in(0), m = o.in(1), v = o.in(2), g = o.in(3), factor = o.in(4), hyper = o.in(5), stream = o.stream();
    return () -> check(CudaCalls.adamWeightDecay(p, m, v, g, factor, hyper, table.address(), table.count, op.beta1(),
        op.beta2(), (float) op.eps(), stream));
  }

  static Kernel momentum(Binding o, Update.Momentum op) {
    Table table = Table.of(op.segments(), 0);
    long p = o.in(0), v = o.in(1), g = o.in(2), factor = o.in(3), hyper = o.in(4), stream = o.stream();
    return () -> check(CudaCalls.momentum(p, v, g, factor, hyper, table.address(), table.count, (float) op.momentum(),
        stream));
  }
}
