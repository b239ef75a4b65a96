package org.dyr.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.dyr.op.Op;
import org.dyr.op.Value;

/** Who makes and who reads each value of a graph, for patterns to look around in. A snapshot. */
public final class Readers {
  private final Map<Value, Node> producers = new HashMap<>();
  private final Map<Value, List<Node>> readers = new HashMap<>();
  private final Map<Value, Integer> made = new HashMap<>(); // the place of a value's producer
  private final Set<Value> kept = new HashSet<>();

  Readers(Graph graph) {
    int place = 0;
    for (Node n : graph.nodes()) {
      for (Value v : n.out()) {
        producers.put(v, n);
        made.put(v, place);
      }
      n.in().forEach(v -> readers.computeIfAbsent(v, w -> new ArrayList<>()).add(n));
      place++;
    }
    kept.addAll(graph.outputs().values());
    kept.addAll(graph.placed().keySet());
  }

  /** The nodes that read the value, in order, each as often as it reads it. */
  public List<Node> of(Value v) {
    return readers.getOrDefault(v, List.of());
  }

  /** Whether a node, or whoever runs the program, reads the value. */
  public boolean isRead(Value v) {
    return !of(v).isEmpty() || kept.contains(v);
  }

  /** Whether all these values exist when the node runs: given from outside, or made before. */
  public boolean existAt(Node n, List<Value> values) {
    int at = made.get(n.out().get(0));
    return values.stream().allMatch(v -> made.getOrDefault(v, -1) < at);
  }

  /** Whether no node before this one reads the value. */
  public boolean isReadBehind(Node n, Value v) {
    int at = made.get(n.out().get(0));
    return of(v).stream().allMatch(reader -> made.get(reader.out().get(0)) > at);
  }

  /** The node that makes the value, if it is of this op and {@code first} is the first to read the value. */
  public <T extends Op> Optional<Node> madeFor(Node first, Value v, Class<T> op) {
    Node n = producers.get(v);
    return n != null && op.isInstance(n.op()) && of(v).get(0) == first ? Optional.of(n) : Optional.empty();
  }

  /** The node that makes the value, if it is of this op and all who read the value are such nodes. */
  public <T extends Op> Optional<Node> madeOnlyFor(Value v, Class<T> op, Predicate<Node> readers) {
    Node n = producers.get(v);
    boolean is = n != null && op.isInstance(n.op()) && !kept.contains(v) && of(v).stream().allMatch(readers);
    return is ? Optional.of(n) : Optional.empty();
  }

  /** The node that makes the value, if it is of this op and nobody but the caller's node reads the value. */
  public <T extends Op> Optional<Node> inner(Value v, Class<T> op) {
    Node n = producers.get(v);
    return n != null && op.isInstance(n.op()) && of(v).size() == 1 && !kept.contains(v) ? Optional.of(n) : Optional.empty();
  }
}
