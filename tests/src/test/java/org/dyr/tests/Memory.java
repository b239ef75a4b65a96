package org.dyr.tests;

import static org.junit.jupiter.api.Assertions.fail;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.tensor.DType;
import org.dyr.tensor.Half;
import org.dyr.tensor.Spec;

/**
 * A slab in which spans lie apart, every byte outside of them a guard: a kernel that writes past its operands is found
 * by {@link #checkGuards}. The byte after a span's last is a guard already.
 */
final class Memory implements AutoCloseable {
  static final int GUARD_BYTES = 128;
  private static final byte GUARD = (byte) 0xA5;
  private static final int ALIGNMENT = 64;

  private final Backend backend;
  private final Slab slab;
  private final List<Span> spans = new ArrayList<>();
  private long top = GUARD_BYTES;

  Memory(Backend backend, long bytes) {
    this.backend = backend;
    slab = backend.allocate(bytes, "test operands");
    fill(slab.span(0, bytes), GUARD);
  }

  /** A slab large enough for spans of these sizes, scratch included. */
  static Memory of(Backend backend, long scratch, Spec[]... specs) {
    long bytes = 2 * GUARD_BYTES + align(scratch) + GUARD_BYTES;
    for (Spec[] group : specs) for (Spec s : group) bytes += align(s.bytes()) + GUARD_BYTES;
    return new Memory(backend, bytes);
  }

  /** The next span, 64-byte aligned, filled with ones: NaN in every floating type, so what is not written shows. */
  Span take(long bytes) {
    Span span = slab.span(top, bytes);
    fill(span, (byte) 0xFF);
    spans.add(span);
    top += align(bytes) + GUARD_BYTES;
    return span;
  }

  Span[] take(Spec[] specs) {
    Span[] taken = new Span[specs.length];
    for (int i = 0; i < taken.length; i++) taken[i] = take(specs[i].bytes());
    return taken;
  }

  /** A span with these elements. */
  Span put(Spec spec, double[] elements) {
    Span span = take(spec.bytes());
    set(span, spec.type(), elements);
    return span;
  }

  private void fill(Span span, byte value) {
    if (span.bytes() == 0) return;
    try (Arena arena = Arena.ofConfined()) {
      backend.upload(arena.allocate(span.bytes()).fill(value), span.bytes(), span);
    }
  }

  /** Writes the elements, wherever the device has its memory. */
  void set(Span span, DType type, double[] elements) {
    if (elements.length == 0) return;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate((long) elements.length * type.bytes(), ALIGNMENT);
      for (int i = 0; i < elements.length; i++) write(host, type, i, elements[i]);
      backend.upload(host, host.byteSize(), span);
    }
  }

  /** Reads the elements, wherever the device has its memory. */
  double[] get(Span span, Spec spec) {
    if (spec.bytes() == 0) return new double[0];
    try (Arena arena = Arena.ofConfined()) {
      return read(backend.view(span, arena), spec);
    }
  }

  private static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Fails when a byte outside of the spans has changed. */
  void checkGuards(String what) {
    try (Arena arena = Arena.ofConfined()) {
      checkGuards(what, backend.view(slab.span(0, slab.bytes()), arena));
    }
  }

  private void checkGuards(String what, MemorySegment all) {
    List<Span> sorted = spans.stream().sorted(Comparator.comparingLong(Span::offset)).toList();
    long from = 0;
    for (int i = 0; i <= sorted.size(); i++) {
      long to = i < sorted.size() ? sorted.get(i).offset() : all.byteSize();
      for (long at = from; at < to; at++) {
        if (all.get(ValueLayout.JAVA_BYTE, at) != GUARD) {
          fail("%s: a write outside of the operands, %d bytes past the end of operand %d and %d before the next"
              .formatted(what, at - from, i - 1, to - at));
        }
      }
      if (i < sorted.size()) from = to + sorted.get(i).bytes();
    }
  }

  static void write(Span span, DType type, double[] elements) {
    MemorySegment m = span.segment();
    for (int i = 0; i < elements.length; i++) write(m, type, i, elements[i]);
  }

  static void write(MemorySegment m, DType type, int i, double x) {
    switch (type) {
      case F32 -> m.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x);
      case F64 -> m.setAtIndex(ValueLayout.JAVA_DOUBLE, i, x);
      case BF16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, i, Half.toBf16((float) x));
      case F16 -> m.setAtIndex(ValueLayout.JAVA_SHORT, i, Half.toF16((float) x));
      case I32 -> m.setAtIndex(ValueLayout.JAVA_INT, i, (int) x);
    }
  }

  static double[] read(Span span, Spec spec) {
    return read(span.segment(), spec);
  }

  private static double[] read(MemorySegment m, Spec spec) {
    double[] x = new double[Math.toIntExact(spec.shape().size())];
    for (int i = 0; i < x.length; i++) {
      x[i] = switch (spec.type()) {
        case F32 -> m.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        case F64 -> m.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
        case BF16 -> Half.fromBf16(m.getAtIndex(ValueLayout.JAVA_SHORT, i));
        case F16 -> Half.fromF16(m.getAtIndex(ValueLayout.JAVA_SHORT, i));
        case I32 -> m.getAtIndex(ValueLayout.JAVA_INT, i);
      };
    }
    return x;
  }

  @Override public void close() {
    slab.close();
  }
}
