package org.dyr.graph;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.op.Value;

/**
 * Where every value of a graph lives. Values that exist at the same time get places that do not overlap; the largest
 * are placed first, each at the lowest offset that is free for its whole life (greedy by size: Pisarchyk and Lee 2020).
 * Behind them lies the scratch that all kernels share.
 *
 * <p>Where the graph places values in outside memory, as gradients are, that memory is free until they are made: values
 * whose life ends before live there and take no workspace. In a training step the activations of a layer are gone
 * before the gradients of the layers below it land.
 *
 * @param offsets each workspace value's offset in bytes, a multiple of 64
 * @param lent values that live where others are placed later
 * @param valueBytes the workspace without the scratch
 * @param scratchBytes the largest scratch that a kernel wants
 */
public record Plan(Map<Value, Long> offsets, Map<Value, Span> lent, long valueBytes, long scratchBytes) {

  /** Alignment of every value: a cache line, and the widest vector. */
  public static final long ALIGNMENT = 64;

  /** The nodes from whose first to whose last a value is needed, before the first node being -1. */
  private record Life(Value value, int from, int to, long bytes) {}

  /** Memory that lives are laid into, each at the lowest offset that is free from its beginning to its end. */
  private static final class Room {

    /** Bytes [begin,end) that are not free at the nodes [from,to]. */
    private record Taken(long begin, long end, int from, int to) {}

    private final Slab slab;
    private final long bytes;
    private final List<Taken> taken = new ArrayList<>();

    /** @param slab null for the workspace, which is not there yet */
    Room(Slab slab, long bytes) {
      this.slab = slab;
      this.bytes = bytes;
    }

    void take(long begin, long end, int from, int to) {
      if (begin < end) taken.add(new Taken(begin, end, from, to));
    }

    /** Takes the lowest place for the life; gives its offset, or -1 when there is none. */
    long lay(Life l) {
      List<Taken> near = new ArrayList<>();
      for (Taken t : taken) if (t.from <= l.to && l.from <= t.to) near.add(t);
      near.sort(Comparator.comparingLong(Taken::begin));
      long at = 0;
      for (Taken t : near) {
        if (at + l.bytes <= t.begin) break;
        at = Math.max(at, align(t.end));
      }
      if (at + l.bytes > bytes) return -1;
      take(at, at + l.bytes, l.from, l.to);
      return at;
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
    Map<Value, Span> lent = new HashMap<>();
    List<Room> outside = outside(graph);
    Room workspace = new Room(null, Long.MAX_VALUE);
    long top = 0;
    for (Life l : lives) {
      Span borrowed = borrow(l, outside);
      if (borrowed != null) {
        lent.put(l.value, borrowed);
      } else {
        long at = workspace.lay(l);
        offsets.put(l.value, at);
        top = Math.max(top, at + l.bytes);
      }
    }
    home.forEach((v, h) -> {
      if (offsets.containsKey(h)) offsets.put(v, offsets.get(h));
      if (lent.containsKey(h)) lent.put(v, lent.get(h));
    });
    long scratch = 0;
    for (Node n : graph.nodes()) {
      scratch = Math.max(scratch, backend.choose(n.op(), n.inSpecs()).orElseThrow().scratchBytes(n.op(), n.inSpecs()));
    }
    return new Plan(offsets, lent, top, align(scratch));
  }

  /** The value whose memory each value uses: its own, or that of the input it is written over. */
  static Map<Value, Value> homes(Graph graph) {
    Map<Value, Value> home = new HashMap<>();
    Map<Value, Node> overwritten = new HashMap<>();
    Set<Value> comes = new HashSet<>();
    for (Node n : graph.nodes()) comes.addAll(n.out());
    for (Node n : graph.nodes()) {
      for (Value v : n.in()) {
        if (comes.contains(v)) {
          throw new IllegalStateException("%s at %s reads %%%d, which no node before it makes"
              .formatted(n.op().name(), n.path(), v.id()));
        }
        Node by = overwritten.get(v);
        if (by != null) {
          throw new IllegalStateException("%s at %s reads %%%d, which %s at %s has written over"
              .formatted(n.op().name(), n.path(), v.id(), by.op().name(), by.path()));
        }
      }
      n.out().forEach(comes::remove);
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

  /** The slabs that values are placed in: free is what belongs to a value that is not made yet, and nothing else. */
  private static List<Room> outside(Graph graph) {
    Map<Slab, List<Value>> placed = new LinkedHashMap<>();
    graph.placed().forEach((v, span) -> placed.computeIfAbsent(span.slab(), s -> new ArrayList<>()).add(v));
    Map<Value, Integer> made = new HashMap<>();
    for (int i = 0; i < graph.nodes().size(); i++) for (Value v : graph.nodes().get(i).out()) made.putIfAbsent(v, i);
    List<Room> rooms = new ArrayList<>();
    placed.forEach((slab, values) -> {
      values.sort(Comparator.comparingLong(v -> graph.placed().get(v).offset()));
      Span last = graph.placed().get(values.getLast());
      Room room = new Room(slab, last.offset() + last.bytes());
      long behind = 0;
      for (Value v : values) {
        Span span = graph.placed().get(v);
        room.take(behind, span.offset(), -1, Integer.MAX_VALUE);
        behind = span.offset() + span.bytes();
        room.take(span.offset(), behind, made.get(v), Integer.MAX_VALUE);
      }
      rooms.add(room);
    });
    return rooms;
  }

  /** A place in one of the rooms, or null. */
  private static Span borrow(Life l, List<Room> rooms) {
    for (Room room : rooms) {
      long at = room.lay(l);
      if (at >= 0) return room.slab.span(at, l.value.spec().bytes());
    }
    return null;
  }

  private static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
