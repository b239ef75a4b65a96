package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.dyr.op.Philox;

/** The dropout factors of a row of attention probabilities: {@link org.dyr.op.AttentionDropout}. */
final class AttentionDrop {
  private final PhiloxVector philox;
  private final int site;
  private final MemorySegment sequence; // i32(S)

  /** @param random the address of the op's input */
  AttentionDrop(double probability, int site, long random, MemorySegment sequence) {
    philox = new PhiloxVector(random, probability);
    this.site = site;
    this.sequence = sequence;
  }

  /**
   * Writes 0 or the scale for {@code width} keys, whole blocks, of the query at {@code place} of sequence {@code index};
   * {@code out} has room for {@link PhiloxVector#scratch}.
   */
  void factors(int index, int head, int place, int width, long out) {
    philox.factors(place * Philox.ATTENTION_STRIDE, sequence.getAtIndex(JAVA_INT, index), Philox.site(site, head),
        PhiloxVector.width(width) / PhiloxVector.BLOCK, out);
  }
}
