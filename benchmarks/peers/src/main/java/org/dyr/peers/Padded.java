package org.dyr.peers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dyr.benchmarks.peers.Sequence;

/**
 * Sequences padded to the longest, on the host. B sequences, S the longest one's tokens.
 *
 * @param places of these sequences among all of the job (B)
 * @param lengths in tokens (B)
 * @param ids (B,S), 0 over padding; types likewise
 */
record Padded(int[] places, int[] lengths, int longest, long[] ids, long[] types) {

  /** Batches of this many in the given order. */
  static List<Padded> of(List<Sequence> all, int[] order, int size) {
    List<Padded> batches = new ArrayList<>();
    for (int from = 0; from < order.length; from += size) {
      batches.add(of(all, Arrays.copyOfRange(order, from, Math.min(order.length, from + size))));
    }
    return batches;
  }

  private static Padded of(List<Sequence> all, int[] places) {
    int[] lengths = Arrays.stream(places).map(p -> all.get(p).length()).toArray();
    int longest = Arrays.stream(lengths).max().orElseThrow();
    long[] ids = new long[places.length * longest], types = ids.clone();
    for (int b = 0; b < places.length; b++) {
      Sequence s = all.get(places[b]);
      for (int i = 0; i < s.length(); i++) {
        ids[b * longest + i] = s.ids()[i];
        types[b * longest + i] = i < s.firstSegment() ? 0 : 1;
      }
    }
    return new Padded(places, lengths, longest, ids, types);
  }
}
