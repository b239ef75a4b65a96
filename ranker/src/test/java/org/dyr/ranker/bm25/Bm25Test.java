package org.dyr.ranker.bm25;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.dyr.ranker.bm25.Bm25Settings.Analysis;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.eval.ScoredPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class Bm25Test {
  private static final Bm25Settings STANDARD = Bm25Settings.of(Analysis.STANDARD);

  private static List<String> pids(List<ScoredPool.Passage> hits) {
    return hits.stream().map(ScoredPool.Passage::pid).toList();
  }

  @Test void theScoreIsTheFormulas() {
    List<Passage> passages = List.of(new Passage("a", "red red stone"), new Passage("b", "red"),
        new Passage("c", "blue stone of the river"), new Passage("d", "green"));
    float k1 = 1.2f, b = 0.75f;
    try (Bm25 index = Bm25.of(passages, new Bm25Settings(k1, b, Analysis.STANDARD))) {
      List<ScoredPool.Passage> hits = index.search("red stone", 10);
      double mean = (3 + 1 + 5 + 1) / 4.0, idf = Math.log(1 + (4 - 2 + 0.5) / (2 + 0.5)); // both words in 2 of 4
      double norm = k1 * (1 - b + b * 3 / mean);
      assertEquals(List.of("a", "b", "c"), pids(hits));
      assertEquals(idf * 2 / (2 + norm) + idf / (1 + norm), hits.getFirst().score(), 1e-6);
      assertEquals(2 * index.search("red", 1).getFirst().score(), index.search("red red", 1).getFirst().score(), 1e-6);
    }
  }

  @ParameterizedTest
  @EnumSource(Bm25.Place.class)
  void equalScoresComeByIdWhateverTheOrderOfThePassages(Bm25.Place place) {
    List<Passage> passages = new ArrayList<>();
    for (int i = 0; i < 500; i++) passages.add(new Passage("p" + i, i % 5 == 0 ? "the old stone" : "the old river"));
    List<String> expected = passages.stream().filter(p -> p.text().endsWith("stone")).map(Passage::id).sorted()
        .limit(20).toList();
    for (int seed = 0; seed < 3; seed++) {
      Collections.shuffle(passages, new Random(seed));
      Iterator<Passage> rest = passages.iterator();
      Path kept;
      try (Bm25 index = new Bm25(() -> rest.hasNext() ? rest.next() : null, STANDARD, place, true)) {
        kept = index.folder();
        assertEquals(place == Bm25.Place.TEMPORARY_FOLDER, kept != null && Files.isDirectory(kept));
        assertEquals(500, index.size());
        assertEquals(expected, pids(index.search("stone", 20)));
        assertEquals("the old stone", index.passage("p10").text());
        assertNull(index.passage("p500"));
      }
      assertTrue(kept == null || !Files.exists(kept), "removed: " + kept);
    }
  }

  @Test void englishStemsAndLeavesStopWordsOut() {
    List<Passage> passages = List.of(new Passage("a", "The rivers' stones"), new Passage("b", "is the of"));
    try (Bm25 english = Bm25.of(passages, Bm25Settings.of(Analysis.ENGLISH));
        Bm25 plain = Bm25.of(passages, STANDARD)) {
      assertEquals(List.of("a"), pids(english.search("a STONE by the river", 9)));
      assertEquals(List.of(), english.search("the", 9));
      assertEquals(List.of("a", "b"), pids(plain.search("the", 9)));
      assertEquals(List.of(), plain.search("stone", 9));
      assertEquals(List.of(), plain.search("?! ", 9));
    }
  }

  @Test void aPoolIsScoredWhole() {
    List<Passage> passages = List.of(new Passage("a", "red"), new Passage("b", "blue"), new Passage("c", "red"));
    try (Bm25 index = Bm25.of(passages, STANDARD)) {
      ScoredPool pool = index.score(new Query("q", "red", Map.of(), passages.subList(0, 2)));
      assertEquals(List.of("a", "b"), pids(pool.passages()));
      assertTrue(pool.passages().get(0).score() > 0);
      assertEquals(0, pool.passages().get(1).score());
    }
  }

  @Test void aQueryMayHaveMoreWordsThanLuceneTakes() {
    StringBuilder text = new StringBuilder("red");
    for (int i = 0; i < 5000; i++) text.append(" w").append(i);
    try (Bm25 index = Bm25.of(List.of(new Passage("a", "red"), new Passage("b", "w4999")), STANDARD)) {
      assertEquals(List.of("a"), pids(index.search(text.toString(), 9)));
    }
  }

  @Test void anIdThatComesTwiceIsNamed() {
    List<Passage> passages = List.of(new Passage("a", "x"), new Passage("b", "x"), new Passage("a", "y"));
    assertEquals("passage id \"a\" is there twice",
        assertThrows(IllegalArgumentException.class, () -> Bm25.of(passages, STANDARD)).getMessage());
  }

  @Test void whatThePassagesThrowComesThrough() {
    assertThrows(CancellationException.class, () -> new Bm25(() -> {
      throw new CancellationException();
    }, STANDARD, Bm25.Place.TEMPORARY_FOLDER, false));
  }

  @Test void anEmptyCollectionFindsNothing() {
    try (Bm25 index = Bm25.of(List.of(), STANDARD)) {
      assertEquals(List.of(), index.search("red", 3));
    }
  }

  @ParameterizedTest
  @CsvSource({"-0.1, 0.4", "NaN, 0.4", "Infinity, 0.4", "0.9, -0.1", "0.9, 1.1", "0.9, NaN"})
  void parametersHaveRanges(float k1, float b) {
    assertThrows(IllegalArgumentException.class, () -> new Bm25Settings(k1, b, Analysis.STANDARD));
  }
}
