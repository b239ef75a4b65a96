package org.dyr.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dyr.op.Value;

/**
 * Activations computed once more in backward, in place of being kept: of each segment of the forward only what others
 * read survives, above all its output, and the rest is recorded again before the segment's gradient. Same kernels, same
 * numbers, dropout's masks too: they are functions. Chen et al., "Training deep nets with sublinear memory cost", 2016.
 *
 * @param segment what the path of a node must begin with; what matched tells the segments apart; null for none
 */
public record Recompute(Pattern segment) {

  /** Everything is kept. */
  public static final Recompute NONE = new Recompute(null);

  /**
   * Rewrites a graph whose gradient has been appended.
   *
   * @param forward how many of its nodes are the forward
   */
  void apply(Graph graph, int forward) {
    if (segment == null) return;
    Map<String, List<Node>> segments = new LinkedHashMap<>();
    for (Node n : graph.nodes().subList(0, forward)) {
      Matcher m = segment.matcher(n.path());
      if (m.lookingAt()) segments.computeIfAbsent(m.group(), s -> new ArrayList<>()).add(n);
    }
    segments.values().forEach(s -> apply(graph, forward, s));
  }

  private static void apply(Graph graph, int forward, List<Node> nodes) {
    Set<Value> inner = new HashSet<>();
    for (Node n : nodes) inner.addAll(n.out());
    Set<Node> own = new HashSet<>(nodes);
    for (Node n : graph.nodes().subList(0, forward)) if (!own.contains(n)) n.in().forEach(inner::remove);
    graph.outputs().values().forEach(inner::remove);

    List<Node> backward = graph.nodes().subList(forward, graph.nodes().size());
    Set<Value> needed = new HashSet<>();
    int first = -1;
    for (int i = 0; i < backward.size(); i++) {
      for (Value v : backward.get(i).in()) if (inner.contains(v) && needed.add(v) && first < 0) first = i;
    }
    if (first < 0) return;

    List<Node> again = new ArrayList<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node n = nodes.get(i);
      if (n.out().stream().noneMatch(needed::contains)) continue;
      again.addFirst(n);
      for (Value v : n.in()) if (inner.contains(v)) needed.add(v);
    }
    Map<Value, Value> copies = new HashMap<>();
    List<Node> all = new ArrayList<>(graph.nodes().subList(0, forward + first));
    for (Node n : again) {
      Node copy = graph.node(n.op(), n.path() + ".again", redirected(n, copies).in().toArray(new Value[0]));
      for (int o = 0; o < n.out().size(); o++) if (inner.contains(n.out().get(o))) copies.put(n.out().get(o), copy.out().get(o));
      all.add(copy);
    }
    for (Node n : backward.subList(first, backward.size())) all.add(redirected(n, copies));
    graph.replaceNodes(all);
  }

  private static Node redirected(Node n, Map<Value, Value> copies) {
    return new Node(n.op(), n.in().stream().map(v -> copies.getOrDefault(v, v)).toList(), n.out(), n.path());
  }
}
