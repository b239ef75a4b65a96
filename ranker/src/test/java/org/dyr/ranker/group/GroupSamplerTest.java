package org.dyr.ranker.group;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.dyr.ranker.data.TrainingQuery;
import org.dyr.ranker.data.TrainingSet;
import org.junit.jupiter.api.Test;

class GroupSamplerTest {

  /** Query q has 1 + q % 3 positives and q + 1 negatives. */
  private static TrainingSet set(int queries) {
    List<TrainingQuery> list = new ArrayList<>();
    for (int q = 0; q < queries; q++) {
      list.add(new TrainingQuery("q" + q, "query " + q, texts("p", 1 + q % 3), texts("n", q + 1)));
    }
    return new TrainingSet(list, new TrainingSet.LeftOut(0, 0), 0);
  }

  private static List<String> texts(String prefix, int count) {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < count; i++) texts.add(prefix + i);
    return texts;
  }

  private static String name(Group group) {
    return group.query().id() + "/" + group.positive() + "/" + Arrays.toString(group.negatives());
  }

  private static List<String> epoch(GroupSampler sampler, long epoch) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < sampler.groupsPerEpoch(); i++) names.add(name(sampler.group(epoch, i)));
    return names;
  }

  @Test void everyPairComesOnceAnEpoch() {
    GroupSampler sampler = new GroupSampler(set(30), 4, 1, true);
    assertEquals(60, sampler.groupsPerEpoch());
    Set<String> pairs = new HashSet<>();
    for (int i = 0; i < 60; i++) {
      Group group = sampler.group(0, i);
      pairs.add(group.query().id() + "/" + group.positive());
      assertTrue(group.positive() < group.query().positives().size());
    }
    assertEquals(60, pairs.size());
  }

  @Test void aGroupDependsOnSeedEpochAndIndexOnly() {
    GroupSampler sampler = new GroupSampler(set(30), 4, 1, true);
    List<String> forward = epoch(sampler, 5);
    GroupSampler fresh = new GroupSampler(set(30), 4, 1, true);
    for (int i = 59; i >= 0; i--) {
      fresh.group(i, i);
      assertEquals(forward.get(i), name(fresh.group(5, i)));
    }
    assertNotEquals(forward, epoch(sampler, 6));
    assertNotEquals(forward, epoch(new GroupSampler(set(30), 4, 2, true), 5));
  }

  /** The numbers come from a second implementation of the documented scheme, in another language. */
  @Test void theDrawsAreFixedForGood() {
    GroupSampler sampler = new GroupSampler(set(30), 4, 1234, true);
    assertEquals(List.of("q29/1/[11, 22, 26]", "q6/0/[4, 0, 1]", "q10/0/[9, 5, 3]"),
        List.of(name(sampler.group(0, 0)), name(sampler.group(0, 1)), name(sampler.group(3, 7))));
  }

  @Test void withoutShufflingPairsKeepFileOrderAndOnlyDrawsDiffer() {
    GroupSampler plain = new GroupSampler(set(30), 4, 1, false);
    for (int i = 0; i < 60; i++) {
      assertEquals(plain.group(0, i).query().id(), plain.group(1, i).query().id());
    }
    assertEquals("q0", plain.group(0, 0).query().id());
    assertEquals("q29", plain.group(0, 59).query().id());
    assertNotEquals(epoch(plain, 0), epoch(plain, 1));
    assertEquals(new HashSet<>(epoch(plain, 2)), new HashSet<>(epoch(new GroupSampler(set(30), 4, 1, true), 2)));
  }

  @Test void negativesAreDistinctWhereThereAreEnough() {
    GroupSampler sampler = new GroupSampler(set(9), 5, 3, true);
    int repeated = 0;
    for (int e = 0; e < 20; e++) {
      for (int i = 0; i < sampler.groupsPerEpoch(); i++) {
        Group group = sampler.group(e, i);
        int available = group.query().negatives().size();
        long distinct = Arrays.stream(group.negatives()).distinct().count();
        assertEquals(4, group.negatives().length);
        assertTrue(Arrays.stream(group.negatives()).allMatch(n -> n >= 0 && n < available));
        if (available >= 4) assertEquals(4, distinct);
        else if (distinct < 4) repeated++;
      }
    }
    assertTrue(repeated > 0);
    assertEquals(1 + 2 + 3, sampler.groupsDrawnWithReplacement()); // the positives of q0, q1 and q2
  }

  @Test void everyNegativeIsEquallyLikely() {
    TrainingSet one = new TrainingSet(List.of(new TrainingQuery("q", "q", List.of("p"), texts("n", 10))),
        new TrainingSet.LeftOut(0, 0), 0);
    GroupSampler sampler = new GroupSampler(one, 4, 11, true);
    int[] counts = new int[10];
    for (int e = 0; e < 10_000; e++) for (int n : sampler.group(e, 0).negatives()) counts[n]++;
    for (int count : counts) assertEquals(3000, count, 230); // 5 standard deviations of a binomial(10000, 0.3)
  }

  @Test void aGroupGivesItsTextsPositiveFirst() {
    Group group = new Group(set(5).queries().get(4), 1, new int[] {3, 0});
    assertEquals(List.of("p1", "n3", "n0"), group.passages());
    assertArrayEquals(new int[] {3, 0}, group.negatives());
  }

  @Test void impossibleRequestsAreErrors() {
    assertThrows(IllegalArgumentException.class, () -> new GroupSampler(set(3), 1, 0, true));
    TrainingSet empty = new TrainingSet(List.of(), new TrainingSet.LeftOut(4, 2), 0);
    String message =
        assertThrows(IllegalArgumentException.class, () -> new GroupSampler(empty, 4, 0, true)).getMessage();
    assertTrue(message.contains("4 have no positive") && message.contains("2"), message);
  }
}
