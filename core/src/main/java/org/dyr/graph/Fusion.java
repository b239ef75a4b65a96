package org.dyr.graph;

import java.util.List;
import java.util.Optional;
import org.dyr.op.Op;
import org.dyr.op.Value;

/**
 * One row of the fusion table: a pattern of nodes and the op that replaces it.
 *
 * @param name how it is switched off
 */
public record Fusion(String name, Pattern pattern) {

  /** Looks for the pattern that ends with this node. */
  @FunctionalInterface
  public interface Pattern {
    Optional<Rewrite> match(Readers graph, Node last);
  }

  /**
   * Puts one node in the place of several. Its outputs are values that the replaced nodes made, so readers further down
   * keep what they read.
   */
  public record Rewrite(List<Node> replaced, Op op, List<Value> in, List<Value> out) {}
}
