package org.dyr.graph;

import java.util.Arrays;

/** A node made an infinite value or a NaN. */
public final class NotFiniteException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  NotFiniteException(Node node, int output, int index) {
    super("node %d, %s at %s, is the first to make an infinite value or a NaN: output %d, %s, from %s".formatted(index,
        node.op().name(), node.path(), output, node.out().get(output).spec(), Arrays.toString(node.inSpecs())));
  }
}
