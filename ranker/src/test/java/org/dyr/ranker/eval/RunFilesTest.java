package org.dyr.ranker.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.dyr.ranker.data.DataException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunFilesTest {
  @TempDir Path folder;

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("file.txt"), text);
  }

  private Path gzip(String text, int cutOff) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    byte[] all = bytes.toByteArray();
    return Files.write(folder.resolve("file.gz"), Arrays.copyOf(all, all.length - cutOff));
  }

  @Test void trecIsOrderedByScoreAndTiesByFallingId() throws IOException {
    RunReader.Result got = RunReader.read(file("""
        q2 Q0 a 1 0.5 tag
        q2 Q0 b 2 7e0 tag
        q1 Q0 z 1 -1 tag
        q2 Q0 c 3 0.5 tag
        """));
    assertEquals(RunFormat.TREC, got.format());
    assertEquals(List.of("q2", "q1"), List.copyOf(got.run().lists().keySet()));
    assertEquals(List.of("b", "c", "a"), got.run().lists().get("q2"));
  }

  @Test void distinctPositiveIntegersAreRanks() throws IOException {
    RunReader.Result got = RunReader.read(file("q\ta\t3\nq\tb\t1\nr\tc\t2\nq\td\t10\n"));
    assertEquals(RunFormat.MS_MARCO, got.format());
    assertEquals(List.of("b", "a", "d"), got.run().lists().get("q"));
  }

  @Test void aScoreMayFollowTheRank() throws IOException {
    RunReader.Result got = RunReader.read(file("q\ta\t3\t0.5\nq\tb\t1\t0.25\nr\tc\t2\t9\n"));
    assertEquals(RunFormat.MS_MARCO, got.format());
    assertEquals(List.of("b", "a"), got.run().lists().get("q"), "the rank tells, not the score");
  }

  @ParameterizedTest
  @CsvSource({"2, 2, 1, b a c", "0, -0.0, 0, c b a", "0, 1, 2, c b a", "-1, 3, 2, b c a", "1.0, 2, 3, c b a",
      "1, 3, 2.5, b c a"})
  void anythingElseIsScores(String a, String b, String c, String order) throws IOException {
    RunReader.Result got = RunReader.read(file("q a %s\nq b %s\nq c %s\n".formatted(a, b, c)));
    assertEquals(RunFormat.SCORES, got.format());
    assertEquals(List.of(order.split(" ")), got.run().lists().get("q"));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "q a 1\\nq b|:2: 2 columns here, 3 in the rows before",
      "q a 1\\n\\nq b 2 x|:3: 4 columns here",
      "q a|:1: a run has six columns",
      "q a 1 2 3|:1: a run has six columns",
      "q a 1.5 2|:1: of four columns (qid pid rank score) the third must be a rank, not '1.5'",
      "q a 1 best|:1: a number is needed as rank or score, not 'best'",
      "q a 0.5\\nq b NaN|:2: the score NaN is not a finite number",
      "q a 0.5\\nq b -Infinity|:2: the score -Infinity",
      "q a 1e999|:1: the score 1e999",
      "q a best|:1: a number is needed as rank or score, not 'best'",
      "q a 1\\nr a 1\\nq a 2|:3: query q has passage a a second time",
      "\\n  \\n|: empty"})
  void badRunsNameFileAndLine(String text, String message) throws IOException {
    Path path = file(text.replace("\\n", "\n"));
    Exception e = assertThrows(DataException.class, () -> RunReader.read(path));
    assertTrue(e.getMessage().startsWith(path + message), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "q 0 a 1\\nq a 1|:2: judgements have four columns, qid 0 pid grade; here are 3",
      "q 0 a 1.5|:1: the fourth column must be an integer grade, not '1.5'",
      "q 0 a 1\\nq Q0 a 0|:2: query q and passage a are judged a second time",
      "''|: empty"})
  void badQrelsNameFileAndLine(String text, String message) throws IOException {
    Path path = file(text.replace("\\n", "\n"));
    Exception e = assertThrows(DataException.class, () -> Qrels.read(path));
    assertTrue(e.getMessage().startsWith(path + message), e.getMessage());
  }

  @Test void qrelsTakeBlanksTabsCarriageReturnsAndAByteOrderMark() throws IOException {
    Map<String, Map<String, Integer>> expected = Map.of("q", Map.of("a", 1, "b", -1), "r", Map.of("ä", 2));
    String text = "\uFEFFq\t0\ta\t1\r\nq Q0  b -1\r\n\r\nr 0\tä 2";
    assertEquals(expected, Qrels.read(file(text)).grades());
    assertEquals(expected, Qrels.read(gzip(text, 0)).grades());
  }

  @Test void linesMayBeLongerThanTheBuffer() throws IOException {
    String pid = "p".repeat(200_000);
    Qrels qrels = Qrels.read(file("q 0 a 1\nq 0 " + pid + " 2\nq 0 b 3"));
    assertEquals(Map.of("a", 1, pid, 2, "b", 3), qrels.of("q"));
  }

  @Test void wrongBytesAndCutOffArchivesAreNamed() throws IOException {
    Path latin = Files.write(folder.resolve("latin"), "q 0 a 1\nq 0 \u00e4 1\n".getBytes(StandardCharsets.ISO_8859_1));
    assertTrue(assertThrows(DataException.class, () -> Qrels.read(latin)).getMessage()
        .startsWith(latin + ":2: is not valid UTF-8"));
    Path cut = gzip("q 0 a 1\n".repeat(1), 12);
    assertTrue(assertThrows(DataException.class, () -> Qrels.read(cut)).getMessage().contains("cut short"));
    assertTrue(assertThrows(DataException.class, () -> Qrels.read(folder)).getMessage().contains("irectory"));
  }

  @Test void writtenRunsReadBackInTheSameOrder() throws IOException {
    List<ScoredPool> pools = List.of(
        new ScoredPool("q", List.of(new ScoredPool.Passage("a", 1.25f), new ScoredPool.Passage("b", 3f),
            new ScoredPool.Passage("c", 1.25f), new ScoredPool.Passage("d", 1e-30f))),
        new ScoredPool("none", List.of()),
        new ScoredPool("p", List.of(new ScoredPool.Passage("a", -7f))));
    Path scores = folder.resolve("new/folder/scores.tsv");
    Path trec = folder.resolve("run.trec");
    RunWriter.writeScores(scores, pools);
    RunWriter.writeTrec(trec, pools, "dyr");
    assertEquals("""
        q\ta\t1.25000000
        q\tb\t3.00000000
        q\tc\t1.25000000
        q\td\t1.00000000e-30
        p\ta\t-7.00000000
        """, Files.readString(scores));
    assertEquals("q Q0 b 1 3.00000000 dyr", Files.readAllLines(trec).getFirst());
    assertEquals("q Q0 c 2 1.25000000 dyr", Files.readAllLines(trec).get(1));
    assertEquals(new RunReader.Result(Run.of(pools), RunFormat.SCORES), RunReader.read(scores));
    assertEquals(new RunReader.Result(Run.of(pools), RunFormat.TREC), RunReader.read(trec));
    try (var left = Files.list(folder)) {
      assertEquals(2, left.count()); // no temporary file stays
    }
  }

  @Test void aFailedWriteLeavesTheOldFile() throws IOException {
    Path path = file("old");
    for (ScoredPool.Passage bad : List.of(new ScoredPool.Passage("a", Float.NaN), new ScoredPool.Passage("a b", 1f))) {
      List<ScoredPool> pools = List.of(new ScoredPool("q", List.of(bad)));
      assertThrows(IllegalArgumentException.class, () -> RunWriter.writeScores(path, pools));
      assertThrows(IllegalArgumentException.class, () -> RunWriter.writeTrec(path, pools, "dyr"));
    }
    assertEquals("old", Files.readString(path));
    try (var left = Files.list(folder)) {
      assertEquals(1, left.count());
    }
  }

  @Test void nineDigitsGiveTheSameFloatBack() {
    Random random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      float f = Float.intBitsToFloat(random.nextInt());
      if (Float.isFinite(f)) assertEquals(f, Float.parseFloat(RunWriter.score(f)), "bits of " + f);
    }
  }
}
