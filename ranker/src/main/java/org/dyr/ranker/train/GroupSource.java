package org.dyr.ranker.train;

import java.util.List;

/** Groups of a run, each a function of its place. */
interface GroupSource extends AutoCloseable {

  /** Groups of one pass. */
  int perEpoch();

  /** The group that comes {@code index}-th in the epoch, both from 0. */
  EncodedGroup group(long epoch, int index);

  /** Passages of the largest group, as far as that is known without reading all: what memory is planned by. */
  int largestGroup();

  /** What the source is made of, a line each. */
  List<String> description();

  @Override default void close() {}
}
