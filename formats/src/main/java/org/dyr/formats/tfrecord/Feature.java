package org.dyr.formats.tfrecord;

/** One feature of an example: a flat list of one kind. */
public sealed interface Feature {

  record Int64s(long[] values) implements Feature {
  }

  record Floats(float[] values) implements Feature {
  }

  record Bytes(byte[][] values) implements Feature {
  }

  /** A feature that was given no kind. */
  record Empty() implements Feature {
  }
}
