package org.dyr.graph;

import java.util.List;
import java.util.Optional;
import org.dyr.op.Op;
import org.dyr.op.Value;

/**
 * One row of the fusion table: a pattern of nodes and the op that replaces it.
 *
 * @param name how it is switched off
 * @param stage when it is tried
 */
public record Fusion(String name, Stage stage, Pattern pattern) {

  /** When a row is tried. */
  public enum Stage {
    /** Before differentiation, which the fused op takes part in, and behind it. */
    ALWAYS,
    /** Behind differentiation, when all readers of all values are known: the fused op needs no gradient. */
    LAST
  }

  /** A row that is always tried. */
  public Fusion(String name, Pattern pattern) {
    this(name, Stage.ALWAYS, pattern);
  }

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
