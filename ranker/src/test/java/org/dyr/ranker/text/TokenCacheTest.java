package org.dyr.ranker.text;

import static org.dyr.ranker.text.Vocabularies.ids;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenCacheTest {

  @TempDir Path directory;

  @Test void keepsTheFirstIdsOfEachText() throws IOException {
    TokenCache cache;
    try (Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory))) {
      cache = new TokenCache(tokenizer, 3, 1 << 20);
      cache.fill(List.of("hello world", "hello hello hello world", "hello world", ""), 3);
    }
    assertEquals(3, cache.size());
    int[] first = cache.ids("hello world"); // the tokenizer is closed: these come from the cache
    assertArrayEquals(ids("hello", "world"), first);
    first[0] = -1;
    assertArrayEquals(ids("hello", "world"), cache.ids("hello world"));
    assertArrayEquals(ids("hello", "hello", "hello"), cache.ids("hello hello hello world"));
    assertArrayEquals(ids(), cache.ids(""));
  }

  @Test void staysWithinItsBytes() throws IOException {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < 50; i++) texts.add("hello ".repeat(i));
    try (Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory))) {
      TokenCache cache = new TokenCache(tokenizer, 100, 1000);
      cache.fill(texts, 2);
      assertTrue(cache.size() > 0 && cache.size() < 20, "kept " + cache.size());
      assertTrue(cache.bytes() <= 1000, "bytes " + cache.bytes());
      assertEquals(49, cache.ids(texts.get(49)).length);
    }
  }

  @Test void aFailureInAThreadReachesTheCaller() throws IOException {
    Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory));
    TokenCache cache = new TokenCache(tokenizer, 3, 1 << 20);
    tokenizer.close();
    String message = assertThrows(TokenizerException.class, () -> cache.fill(List.of("hello"), 2)).getMessage();
    assertTrue(message.contains("closed"), message);
  }
}
