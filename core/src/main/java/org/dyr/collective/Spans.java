package org.dyr.collective;

import java.lang.foreign.MemorySegment;
import org.dyr.device.Span;
import org.dyr.tensor.DType;

/** Spans of memory that the host can address. */
final class Spans {
  private Spans() {}

  static void check(boolean holds, String format, Object... args) {
    if (!holds) throw new IllegalArgumentException(format.formatted(args));
  }

  static void checkSum(Span from, Span to, DType type) {
    check(type == DType.F32 || type == DType.F64, "allReduce: adds f32 and f64, not %s", type);
    check(from.bytes() == to.bytes() && from.bytes() % type.bytes() == 0,
        "allReduce: %d bytes and %d are not as many %s", from.bytes(), to.bytes(), type);
  }

  /** The part of a rank in what an allGather lays out, of as many bytes as {@code mine}. */
  static Span part(Span all, Span mine, int rank, int size) {
    check(all.bytes() == size * mine.bytes(), "own: %d bytes are not the parts of %d ranks with %d each", all.bytes(), size,
        mine.bytes());
    return all.slice(rank * mine.bytes(), mine.bytes());
  }

  static boolean same(Span a, Span b) {
    return a.bytes() == b.bytes() && (a.bytes() == 0 || a.address() == b.address());
  }

  /** Copies all of {@code from} to the beginning of {@code to}; nothing where both are the same memory. */
  static void copy(Span from, Span to) {
    copy(from, 0, to, 0, from.bytes());
  }

  static void copy(Span from, long fromOffset, Span to, long toOffset, long bytes) {
    if (bytes == 0 || from.address() + fromOffset == to.address() + toOffset) return;
    MemorySegment.copy(from.slab().host(), from.offset() + fromOffset, to.slab().host(), to.offset() + toOffset, bytes);
  }
}
