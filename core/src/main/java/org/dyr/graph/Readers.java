package org.dyr.graph;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dyr.op.Op;
import org.dyr.op.Value;

/** Who makes and who reads each value of a graph, for patterns to look around in. A snapshot. */
public final class Readers {
  private final Map<Value, Node> producers = new HashMap<>();
  private final Map<Value, Integer> reads = new HashMap<>();
  private final Set<Value> kept = new HashSet<>();

  Readers(Graph graph) {
    for (Node n : graph.nodes()) {
      n.out().forEach(v -> producers.put(v, n));
      n.in().forEach(v -> reads.merge(v, 1, Integer::sum));
    }
    kept.addAll(graph.outputs().values());
    kept.addAll(graph.placed().keySet());
  }

  /** The node that makes the value, if it is of this op and nobody but the caller's node reads the value. */
  public <T extends Op> Optional<Node> inner(Value v, Class<T> op) {
    Node n = producers.get(v);
    return n != null && op.isInstance(n.op()) && reads.get(v) == 1 && !kept.contains(v) ? Optional.of(n) : Optional.empty();
  }
}
