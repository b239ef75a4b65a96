package org.dyr.nn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.dyr.graph.Bucket;
import org.dyr.graph.Program;
import org.dyr.op.Philox;

/**
 * Sequences laid end to end: the inputs of a {@link Pass}, in host memory. Filled again for every batch; nothing is
 * allocated after construction. What a bucket has beyond the batch is filled so that it computes nothing of
 * consequence: tokens of no sequence, sequences without tokens, groups without samples.
 */
public final class PackedBatch implements AutoCloseable {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

  private final Arena arena = Arena.ofShared();
  private final Map<String, MemorySegment> arrays = new HashMap<>();
  private final String[] names;
  private final Bucket capacity;
  private final MemorySegment tokens;
  private final MemorySegment types;
  private final MemorySegment positions;
  private final MemorySegment tokenSequence;
  private final MemorySegment offsets;
  private final MemorySegment sequence;
  private final MemorySegment first;
  private final MemorySegment groups;
  private final MemorySegment random;
  private int tokenCount;
  private int sequenceCount;
  private int groupCount;

  /** A batch that holds up to the bucket that {@code most} rounds to. */
  public PackedBatch(Bucket most) {
    capacity = Bucket.of(most.tokens(), most.sequences(), most.groups());
    tokens = array("tokens", capacity.tokens());
    types = array("types", capacity.tokens());
    positions = array("positions", capacity.tokens());
    tokenSequence = array("token_sequence", capacity.tokens());
    offsets = array("offsets", capacity.sequences() + 1);
    sequence = array("sequence", capacity.sequences());
    first = array("first", capacity.sequences());
    array("origin", capacity.sequences());
    groups = array("groups", capacity.groups() + 1);
    random = array("random", Philox.STATE_WORDS);
    names = arrays.keySet().toArray(new String[0]);
  }

  private MemorySegment array(String name, int size) {
    MemorySegment s = arena.allocate(INT, size);
    arrays.put(name, s);
    return s;
  }

  public void clear() {
    tokenCount = 0;
    sequenceCount = 0;
    groupCount = 0;
  }

  public int tokens() {
    return tokenCount;
  }

  public int sequences() {
    return sequenceCount;
  }

  public int groups() {
    return groupCount;
  }

  /** Whether a further sequence of this many tokens fits. */
  public boolean fits(int length) {
    return tokenCount + length <= capacity.tokens() && sequenceCount < capacity.sequences();
  }

  /**
   * Appends a sequence.
   *
   * @param firstSegment tokens before this have type 0, the others type 1
   * @param number the sequence's number in the global batch
   */
  public void add(int[] ids, int firstSegment, int number) {
    if (ids.length == 0) throw new IllegalArgumentException("a sequence has at least one token");
    if (!fits(ids.length)) throw new IllegalStateException("the batch is full: " + this);
    offsets.setAtIndex(INT, sequenceCount, tokenCount);
    first.setAtIndex(INT, sequenceCount, tokenCount);
    sequence.setAtIndex(INT, sequenceCount, number);
    sequenceCount++;
    for (int i = 0; i < ids.length; i++, tokenCount++) {
      tokens.setAtIndex(INT, tokenCount, ids[i]);
      types.setAtIndex(INT, tokenCount, i < firstSegment ? 0 : 1);
      positions.setAtIndex(INT, tokenCount, i);
      tokenSequence.setAtIndex(INT, tokenCount, number);
    }
  }

  /** Ends a group: the sequences since the last one ended, the positive first. */
  public void endGroup() {
    if (groupCount == capacity.groups()) throw new IllegalStateException("the batch is full: " + this);
    groups.setAtIndex(INT, 0, 0);
    groups.setAtIndex(INT, ++groupCount, sequenceCount);
  }

  /** Seed and step, from which dropout draws. */
  public void random(long seed, int step) {
    random.setAtIndex(INT, 0, (int) seed);
    random.setAtIndex(INT, 1, (int) (seed >>> 32));
    random.setAtIndex(INT, 2, step);
  }

  /** The bucket that the batch falls into. */
  public Bucket bucket() {
    return Bucket.of(tokenCount, sequenceCount, groupCount);
  }

  /** Writes the inputs that the program takes. */
  public void writeTo(Program program, Bucket bucket) {
    for (int t = tokenCount; t < bucket.tokens(); t++) {
      tokens.setAtIndex(INT, t, 0);
      types.setAtIndex(INT, t, 0);
      positions.setAtIndex(INT, t, 0);
      tokenSequence.setAtIndex(INT, t, 0);
    }
    for (int s = sequenceCount; s <= bucket.sequences(); s++) offsets.setAtIndex(INT, s, tokenCount);
    for (int s = sequenceCount; s < bucket.sequences(); s++) {
      sequence.setAtIndex(INT, s, 0);
      first.setAtIndex(INT, s, 0);
    }
    int grouped = groupCount == 0 ? 0 : groups.getAtIndex(INT, groupCount);
    for (int g = groupCount; g <= bucket.groups(); g++) groups.setAtIndex(INT, g, grouped);
    for (String name : names) if (program.takes(name)) program.write(name, arrays.get(name));
  }

  @Override public void close() {
    arena.close();
  }

  @Override public String toString() {
    return "%d tokens, %d sequences, %d groups of at most %s".formatted(tokenCount, sequenceCount, groupCount, capacity);
  }
}
