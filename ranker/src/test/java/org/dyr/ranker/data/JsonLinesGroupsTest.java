package org.dyr.ranker.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonLinesGroupsTest {

  private static final String GOOD = """
      {"query": "q one", "pos": ["a"], "neg": ["b", "c"], "pos_scores": [1.5], "type": "x"}

      {"query": "q two", "pos": ["b"], "neg": ["a"]}
      {"query": "no positive", "pos": [], "neg": ["a"]}
      {"query": "no negative", "pos": ["a"], "neg": []}
      """;

  @TempDir Path directory;

  @Test void loadsGroupsAndSharesTexts() throws IOException {
    for (String name : List.of("g.jsonl", "g.jsonl.gz")) {
      Path file = directory.resolve(name);
      Files.write(file, name.endsWith(".gz") ? LinesTest.gzip(GOOD) : GOOD.getBytes(StandardCharsets.UTF_8));
      TrainingSet set = JsonLinesGroups.load(file);
      assertEquals(2, set.queries().size());
      assertEquals(new TrainingQuery("1", "q one", List.of("a"), List.of("b", "c")), set.queries().getFirst());
      assertEquals("3", set.queries().get(1).id());
      assertSame(set.queries().get(0).positives().getFirst(), set.queries().get(1).negatives().getFirst());
      assertEquals(new TrainingSet.LeftOut(1, 1), set.leftOut());
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "{\"query\": \"x\", \"pos\": [\"a\"]} | \"neg\" must be an array of strings, it is missing",
      "{\"query\": \"x\", \"pos\": \"a\", \"neg\": [\"b\"]} | \"pos\" must be an array of strings, it is of type s",
      "{\"query\": \"x\", \"pos\": [\"a\", 3], \"neg\": [\"b\"]} | \"pos\"[1] must be a string",
      "{\"query\": 3, \"pos\": [\"a\"], \"neg\": [\"b\"]} | \"query\" must be a string",
      "{\"query\": \"x\", \"query\": \"y\"} | not valid JSON at column",
      "{\"query\": \"x\"} {} | not valid JSON at column",
      "{\"query\": \"x\", \"pos\" | not valid JSON at column",
      "[1] | must be a JSON object, it is of type array"})
  void aBadLineIsNamed(String line, String problem) throws IOException {
    Path file = Files.writeString(directory.resolve("g.jsonl"), GOOD + line + "\n");
    String message = assertThrows(DataException.class, () -> JsonLinesGroups.load(file)).getMessage();
    assertTrue(message.contains("g.jsonl:6: ") && message.contains(problem), message);
  }

  /** Drawn twice into a group a negative counts twice, and a positive is no negative. */
  @Test void aTextIsOnceInAGroup() throws IOException {
    Path file = Files.writeString(directory.resolve("g.jsonl"), """
        {"query": "q one", "pos": ["a", "b", "a"], "neg": ["c", "a", "d", "c"]}
        {"query": "no negative", "pos": ["a"], "neg": ["a", "a"]}
        """);
    TrainingSet set = JsonLinesGroups.load(file);
    assertEquals(List.of(new TrainingQuery("1", "q one", List.of("a", "b"), List.of("c", "d"))), set.queries());
    assertEquals(new TrainingSet.LeftOut(0, 1), set.leftOut());
    assertEquals(3 + 2, set.repeated());
  }
}
