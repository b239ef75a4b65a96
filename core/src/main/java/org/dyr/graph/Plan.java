package org.dyr.graph;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.device.Backend;
import org.dyr.op.Value;

/**
 * Where every value of a graph lives. Values that exist at the same time get places that do not overlap; the largest
 * are placed first, each at the lowest offset that is free for its whole life (greedy by size: Pisarchyk and Lee 2020).
 * Behind them lies the scratch that all kernels share.
 *
 * @param offsets each workspace value's offset in bytes, a multiple of 64
 * @param valueBytes the workspace without the scratch
 * @param scratchBytes the largest scratch that a kernel wants
 */
public record Plan(Map<Value, Long> offsets, long valueBytes, long scratchBytes) {

  /** Alignment of every value: a cache line, and the widest vector. */
  public static final long ALIGNMENT = 64;

  private record Life(Value value, int from, int to, long bytes) {
    boolean meets(Life o) {
      return from <= o.to && o.from <= to;
    }
  }

  /** All the bytes of the workspace. */
  public long bytes() {
    return valueBytes + scratchBytes;
  }

  /** Plans a lowered graph for a device. */
  public static Plan of(Graph graph, Backend backend) {
    Map<Value, Value> home = homes(graph);
    List<Life> lives = new ArrayList<>(lives(graph, home).values());
    lives.sort(Comparator.comparingLong(Life::bytes).reversed().thenComparingInt(l -> l.value.id()));
    Map<Value, Long> offsets = new HashMap<>();
    List<Life> done = new ArrayList<>();
    long top = 0;
    for (Life l : lives) {
      long at = lowestFree(l, done, offsets);
      offsets.put(l.value, at);
      done.add(l);
      top = Math.max(top, at + l.bytes);
    }
    home.forEach((v, h) -> {
      if (offsets.containsKey(h)) offsets.put(v, offsets.get(h));
    });
    long scratch = 0;
    for (Node n : graph.nodes()) {
      scratch = Math.max(scratch, backend.choose(n.op(), n.inSpecs()).orElseThrow().scratchBytes(n.op(), n.inSpecs()));
    }
    return new Plan(offsets, top, align(scratch));
  }

  /** The value whose memory each value uses: its own, or that of the input it is written over. */
  static Map<Value, Value> homes(Graph graph) {
    Map<Value, Value> home = new HashMap<>();
    Map<Value, Node> overwritten = new HashMap<>();
    for (Node n : graph.nodes()) {
      for (Value v : n.in()) {
        Node by = overwritten.get(v);
        if (by != null) {
          throw new IllegalStateException("%s at %s reads %%%d, which %s at %s has written over"
              .formatted(n.op().name(), n.path(), v.id(), by.op().name(), by.path()));
        }
      }
      for (int i = 0; i < n.out().size(); i++) {
        int alias = n.op().aliasOf(i);
        Value v = n.out().get(i);
        if (alias < 0) {
          home.put(v, v);
          continue;
        }
        Value over = n.in().get(alias);
        home.put(v, home.getOrDefault(over, over));
        overwritten.put(over, n);
      }
    }
    graph.outputs().forEach((name, v) -> {
      Node by = overwritten.get(v);
      if (by != null) {
        throw new IllegalStateException("output '%s' is %%%d, which %s at %s has written over; name what that made instead"
            .formatted(name, v.id(), by.op().name(), by.path()));
      }
    });
    return home;
  }

  private static Map<Value, Life> lives(Graph graph, Map<Value, Value> home) {
    int end = graph.nodes().size();
    Map<Value, Life> lives = new HashMap<>();
    for (Value v : graph.inputs().values()) lives.put(v, new Life(v, -1, end, align(v.spec().bytes())));
    for (int i = 0; i < end; i++) {
      Node n = graph.nodes().get(i);
      for (Value v : n.out()) extend(graph, lives, home.get(v), i);
      for (Value v : n.in()) extend(graph, lives, home.getOrDefault(v, v), i);
    }
    for (Value v : graph.outputs().values()) extend(graph, lives, home.getOrDefault(v, v), end);
    return lives;
  }

  private static void extend(Graph graph, Map<Value, Life> lives, Value v, int at) {
    if (graph.bound().containsKey(v) || graph.placed().containsKey(v)) return;
    lives.merge(v, new Life(v, at, at, align(v.spec().bytes())),
        (a, b) -> new Life(v, Math.min(a.from, b.from), Math.max(a.to, b.to), a.bytes));
  }

  private static long lowestFree(Life l, List<Life> done, Map<Value, Long> offsets) {
    List<Life> near = new ArrayList<>();
    for (Life d : done) if (d.meets(l)) near.add(d);
    near.sort(Comparator.comparingLong(d -> offsets.get(d.value)));
    long at = 0;
    for (Life d : near) {
      long from = offsets.get(d.value);
      if (at + l.bytes <= from) break;
      at = Math.max(at, from + d.bytes);
    }
    return at;
  }

  private static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
