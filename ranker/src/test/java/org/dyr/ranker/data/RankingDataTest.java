package org.dyr.ranker.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RankingDataTest {

  @TempDir Path directory;

  @BeforeEach void writeGoodFiles() throws IOException {
    write("collection.tsv", "p1\tone\np2\ttwo\np3\tthree\np4\tfour\np5\tfive\n");
    write("queries.dev.tsv", "q1\tfirst\nq2\tsecond\nq3\tthird\n");
    write("qrels.dev.tsv", "q1\t0\tp1\t2\nq1\t0\tp2\t0\nq1\t0\tp3\t-1\nq1\t0\tp4\t1\nq2\t0\tp1\t1\n");
    write("bm25.dev.tsv", "q1\tp3\t2\nq1\tp2\t1\nq1\tp1\t3\nq1\tp4\t4\nq3\tp2\t1\n");
  }

  @Test void loadsASplit() {
    RankingData data = RankingData.load(directory, "dev");
    assertTrue(data.judged());
    assertEquals(4, data.passages());
    assertNull(data.passage("p5"));
    Query first = data.queries().getFirst();
    assertEquals("q1", first.id());
    assertEquals("first", first.text());
    assertEquals(Map.of("p1", 2, "p2", 0, "p3", -1, "p4", 1), first.judgements());
    assertEquals(List.of("p2", "p3", "p1", "p4"), first.pool().stream().map(Passage::id).toList());
    assertSame(data.passage("p2"), first.pool().getFirst());
    assertSame(data.passage("p2"), data.queries().get(2).pool().getFirst());
    assertEquals(List.of(), data.queries().get(1).pool());
  }

  @Test void candidatesComeBeforeBm25AndGzipIsFine() throws IOException {
    write("candidates.dev.tsv", "q1\tp4\nq1\tp2\n");
    Files.delete(directory.resolve("collection.tsv"));
    Files.write(directory.resolve("collection.tsv.gz"), LinesTest.gzip("p1\tone\np2\ttwo\np3\tthree\np4\t\n"));
    RankingData data = RankingData.load(directory, "dev");
    assertEquals("candidates.dev.tsv", data.poolFile().getFileName().toString());
    assertEquals(List.of("", "two"), data.queries().getFirst().pool().stream().map(Passage::text).toList());
  }

  @Test void aScoreMayFollowTheRank() throws IOException {
    write("bm25.dev.tsv", "q1\tp3\t2\t0.5\nq1\tp2\t1\t1.25e1\nq1\tp1\t3\n");
    assertEquals(List.of("p2", "p3", "p1"),
        RankingData.load(directory, "dev").queries().getFirst().pool().stream().map(Passage::id).toList());
  }

  @Test void judgementsMayBeAbsentWhenNobodyNeedsThem() throws IOException {
    Files.delete(directory.resolve("qrels.dev.tsv"));
    RankingData data = RankingData.load(directory, "dev", RankingData.Qrels.IF_PRESENT);
    assertFalse(data.judged());
    assertEquals(Map.of(), data.queries().getFirst().judgements());
    assertTrue(failure().contains("no qrels.dev.tsv"), failure());
  }

  @Test void aSplitWithoutPoolNamesBothFiles() throws IOException {
    Files.delete(directory.resolve("bm25.dev.tsv"));
    assertTrue(failure().contains("candidates.dev.tsv") && failure().contains("bm25.dev.tsv"), failure());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "collection.tsv  | p1                   | collection.tsv:6  | 1 tab-separated column, expected 2",
      "collection.tsv  | p6<T>a<T>b           | collection.tsv:6  | 3 tab-separated columns",
      "collection.tsv  | <T>text              | collection.tsv:6  | empty passage id",
      "collection.tsv  | p 6<T>text           | collection.tsv:6  | passage id \"p 6\" has a blank",
      "collection.tsv  | p1<T>again           | collection.tsv:6  | there twice",
      "queries.dev.tsv | q1<T>again           | queries.dev.tsv:4 | there twice",
      "queries.dev.tsv | <T>text              | queries.dev.tsv:4 | empty query id",
      "queries.dev.tsv | q\u00019<T>text      | queries.dev.tsv:4 | query id \"q?9\" has a blank or a control",
      "qrels.dev.tsv   | q9<T>0<T>p1<T>1      | qrels.dev.tsv:6   | q9",
      "qrels.dev.tsv   | q1<T>0<T>p9<T>1      | qrels.dev.tsv:6   | p9",
      "qrels.dev.tsv   | q2<T>0<T>p2<T>high   | qrels.dev.tsv:6   | grade \"high\"",
      "qrels.dev.tsv   | q1<T>0<T>p1<T>1      | qrels.dev.tsv:6   | judged twice",
      "qrels.dev.tsv   | q1 0 p5 1            | qrels.dev.tsv:6   | expected 4",
      "bm25.dev.tsv    | q1<T>p9<T>9          | bm25.dev.tsv:6    | p9",
      "bm25.dev.tsv    | q9<T>p1<T>9          | bm25.dev.tsv:6    | q9",
      "bm25.dev.tsv    | q1<T>p1<T>9          | bm25.dev.tsv:6    | twice",
      "bm25.dev.tsv    | q2<T>p1<T>1.5        | bm25.dev.tsv:6    | rank \"1.5\"",
      "bm25.dev.tsv    | q2<T>p1<T>1<T>high   | bm25.dev.tsv:6    | score \"high\"",
      "bm25.dev.tsv    | q2<T>p1<T>1<T>NaN    | bm25.dev.tsv:6    | not a finite number",
      "bm25.dev.tsv    | q2<T>p1<T>1<T>2<T>3  | bm25.dev.tsv:6    | expected 3 to 4",
      "bm25.dev.tsv    | q2<T>p1              | bm25.dev.tsv:6    | expected 3"})
  void aBadLineIsNamed(String file, String line, String place, String problem) throws IOException {
    Path path = directory.resolve(file);
    Files.writeString(path, Files.readString(path) + line.replace("<T>", "\t") + "\n");
    assertTrue(failure().contains(place) && failure().contains(problem), failure());
  }

  @Test void trainingTakesTheUnjudgedAndTheGradeZeroAsNegatives() {
    TrainingSet set = TrainingSet.from(RankingData.load(directory, "dev"));
    assertEquals(1, set.queries().size());
    TrainingQuery query = set.queries().getFirst();
    assertEquals(List.of("one", "four"), query.positives());
    assertEquals(List.of("two"), query.negatives());
    assertEquals(2, set.pairs());
    assertEquals(new TrainingSet.LeftOut(1, 1), set.leftOut());
    assertEquals(2, set.leftOut().total());
  }

  @Test void aHigherBarMakesLowGradesNegatives() {
    RankingData data = RankingData.load(directory, "dev");
    TrainingQuery query = TrainingSet.from(data, 2).queries().getFirst();
    assertEquals(List.of("one"), query.positives());
    assertEquals(List.of("two", "four"), query.negatives());
    assertSame(data.passage("p4").text(), query.negatives().get(1));
    assertThrows(IllegalArgumentException.class, () -> TrainingSet.from(data, 0));
  }

  @Test void passagesOfOneTextAreOne() throws IOException {
    write("collection.tsv", "p1\tone\np2\tsame\np3\tsame\np4\tother\np5\tother\np6\tone\n");
    write("queries.dev.tsv", "q1\twhat\n");
    write("qrels.dev.tsv", "q1\t0\tp1\t1\n");
    write("bm25.dev.tsv", "q1\tp6\t1\nq1\tp2\t2\nq1\tp3\t3\nq1\tp4\t4\nq1\tp5\t5\n");
    TrainingSet set = TrainingSet.from(RankingData.load(directory, "dev"));
    assertEquals(List.of(new TrainingQuery("q1", "what", List.of("one"), List.of("same", "other"))), set.queries());
    assertEquals(3, set.repeated());
  }

  private void write(String name, String text) throws IOException {
    Files.writeString(directory.resolve(name), text);
  }

  private String failure() {
    return assertThrows(DataException.class, () -> RankingData.load(directory, "dev")).getMessage();
  }
}
