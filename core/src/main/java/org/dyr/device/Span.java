package org.dyr.device;

import java.lang.foreign.MemorySegment;

/** A part of a {@link Slab}, borrowed: it has no {@code close} and must not outlive its slab. */
public record Span(Slab slab, long offset, long bytes) {

  /** What an op without scratch, or a tensor without elements, is given. */
  public static final Span NONE = new Span(null, 0, 0);

  public Span {
    if (slab != null && (offset < 0 || bytes < 0 || bytes > slab.bytes() - offset)) {
      throw new IndexOutOfBoundsException(
          "Span: offset %d and %d bytes do not fit a slab of %d".formatted(offset, bytes, slab.bytes()));
    }
  }

  /** The address on the device. */
  public long address() {
    return slab.address() + offset;
  }

  /** A view whose index 0 is this span's first byte. Cut it once, in {@code prepare}: every call makes a new object. */
  public MemorySegment segment() {
    return slab == null ? MemorySegment.NULL : slab.host().asSlice(offset, bytes);
  }

  public Span slice(long from, long length) {
    if (from < 0 || length < 0 || length > bytes - from) {
      throw new IndexOutOfBoundsException(
          "Span: %d bytes at %d do not fit a span of %d".formatted(length, from, bytes));
    }
    return new Span(slab, offset + from, length);
  }
}
