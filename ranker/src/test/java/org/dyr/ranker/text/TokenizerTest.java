package org.dyr.ranker.text;

import static org.dyr.ranker.text.Vocabularies.ids;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {

  @TempDir Path directory;

  static Stream<Arguments> texts() {
    return Stream.of(
        Arguments.of("", ids()),
        Arguments.of(" \t \u00a0 ", ids()),
        Arguments.of("HELLO, World!", ids("hello", ",", "world", "!")),
        Arguments.of("unaffable", ids("un", "##aff", "##able")),
        Arguments.of("Caf\u00e9 cafe\u0301", ids("cafe", "cafe")),
        Arguments.of("\u4e2d\u6587hello", ids("\u4e2d", "\u6587", "hello")),
        Arguments.of("hello-world", ids("hello", "-", "world")),
        Arguments.of("xyz hello", ids("[UNK]", "hello")),
        Arguments.of("unxyz", ids("[UNK]")),
        Arguments.of("hel\u0000lo\ufffd", ids("hello")),
        Arguments.of("hello \ud83d", ids("hello")),
        Arguments.of("\ude00 hello \ud83d\ude00", ids("hello", "[UNK]")),
        Arguments.of("hello [SEP] world", ids("hello", "[SEP]", "world")));
  }

  @ParameterizedTest
  @MethodSource("texts")
  void encodesLikeBert(String text, int[] expected) throws IOException {
    try (Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory))) {
      assertArrayEquals(expected, tokenizer.encode(text));
    }
  }

  @Test void aWordOfOverAHundredCharactersIsUnknown() throws IOException {
    try (Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory))) {
      assertEquals(100, tokenizer.encode("a".repeat(100)).length);
      assertArrayEquals(ids("[UNK]"), tokenizer.encode("a".repeat(101)));
    }
  }

  @Test void namesItsSpecialTokens() throws IOException {
    Vocabularies.write(directory);
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      assertEquals(0, tokenizer.padId());
      assertEquals(1, tokenizer.unkId());
      assertEquals(2, tokenizer.clsId());
      assertEquals(3, tokenizer.sepId());
      assertEquals(Vocabularies.TOKENS.size(), tokenizer.vocabularySize());
    }
  }

  @Test void theConfigBesideAVocabularyDecidesOnCase() throws IOException {
    Vocabularies.write(directory);
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      assertArrayEquals(ids("Hello", "hello", "caf\u00e9", "[UNK]"), tokenizer.encode("Hello hello caf\u00e9 WORLD"));
    }
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"do_lower_case\": \"yes\"}");
    assertNames("tokenizer_config.json", "do_lower_case", directory);
  }

  @Test void aTokenizerJsonIsPreferredAndNeitherTruncatesNorPads() throws IOException {
    Vocabularies.write(directory);
    Vocabularies.writeJson(directory);
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      assertArrayEquals(ids("hello", "world", "hello", "[UNK]"), tokenizer.encode("hello world hello un"));
      assertEquals(12, tokenizer.vocabularySize());
    }
  }

  @Test void savesWhatItLoaded() throws IOException {
    Vocabularies.write(directory);
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
    Path saved = directory.resolve("new").resolve("model");
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      tokenizer.save(saved);
    }
    for (String name : List.of("vocab.txt", "tokenizer_config.json")) {
      assertEquals(-1, Files.mismatch(directory.resolve(name), saved.resolve(name)));
    }
    Path reader = Files.createLink(directory.resolve("as-it-was"), saved.resolve("tokenizer_config.json"));
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"do_lower_case\": true}");
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      tokenizer.save(saved);
    }
    assertEquals("{\"do_lower_case\": false}", Files.readString(reader), "a file is replaced, not written into");
    assertEquals("{\"do_lower_case\": true}", Files.readString(saved.resolve("tokenizer_config.json")));
    Vocabularies.writeJson(directory);
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      tokenizer.save(saved);
    }
    assertEquals(-1, Files.mismatch(directory.resolve("tokenizer.json"), saved.resolve("tokenizer.json")));
    try (Tokenizer again = Tokenizer.load(saved)) {
      assertArrayEquals(ids("hello"), again.encode("hello"));
    }
  }

  @Test void aVocabularyUnderAnotherNameIsSavedAsVocabTxt() throws IOException {
    Path renamed = Files.move(Vocabularies.write(directory), directory.resolve("bert-vocab.txt"));
    Path saved = directory.resolve("model");
    try (Tokenizer tokenizer = Tokenizer.load(renamed)) {
      tokenizer.save(saved);
    }
    assertEquals(-1, Files.mismatch(renamed, saved.resolve("vocab.txt")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"[CLS]", "[SEP]", "[PAD]", "[UNK]"})
  void aVocabularyWithoutASpecialTokenIsAnError(String token) throws IOException {
    Path file = Vocabularies.writeWithout(directory, token);
    assertNames("vocab.txt", token, file);
  }

  @Test void brokenFilesAreErrorsThatNameThem() throws IOException {
    assertNames("missing.txt", "no such file", directory.resolve("missing.txt"));
    assertNames(directory.toString(), "neither tokenizer.json nor vocab.txt", directory);
    Path vocabulary = directory.resolve("vocab.txt");
    Files.writeString(vocabulary, "");
    assertNames("vocab.txt", "empty", vocabulary);
    Files.writeString(vocabulary, "[PAD]\nhello\n[PAD]\n");
    assertNames("vocab.txt:3", "already on line 1", vocabulary);
    Files.writeString(vocabulary, "[PAD]\n\nhello\n");
    assertNames("vocab.txt:2", "empty line", vocabulary);
    Files.write(vocabulary, new byte[] {'a', (byte) 0xFF, '\n'});
    assertNames("vocab.txt", "UTF-8", vocabulary);
  }

  @Test void brokenJsonIsAnErrorThatNamesTheFile() throws IOException {
    Path json = Vocabularies.writeJson(directory);
    String good = Files.readString(json);
    Files.writeString(json, good.substring(0, good.length() / 2));
    assertNames("tokenizer.json:", "not valid JSON", json);
    Files.writeString(json, "[]");
    assertNames("tokenizer.json", "JSON object", json);
    Files.writeString(json, good.replace("WordPiece", "BPE"));
    assertNames("tokenizer.json", "BPE", json);
    Files.writeString(json, good.replace("\"unk_token\": \"[UNK]\",", ""));
    assertNames("tokenizer.json", "not a usable tokenizer", json);
    Files.writeString(json, good.replace("\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<unk>\""));
    assertNames("tokenizer.json", "<unk>", json);
    Files.writeString(json, good.replace("\"world\":6", "\"world\":-6"));
    assertNames("tokenizer.json", "world", json);
    Files.writeString(json, good.replace("[CLS]", "[ABSENT]"));
    assertNames("tokenizer.json", "[CLS]", json);
  }

  @Test void isThreadSafeAndClosesOnce() throws Exception {
    Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory));
    Callable<Void> task = () -> {
      for (int i = 1; i < 500; i++) {
        int[] expected = new int[i % 17];
        Arrays.fill(expected, Vocabularies.id("hello"));
        assertArrayEquals(expected, tokenizer.encode("hello ".repeat(i % 17)));
      }
      return null;
    };
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      for (var done : threads.invokeAll(List.of(task, task, task, task))) done.get();
    }
    tokenizer.close();
    tokenizer.close();
    assertThrows(IllegalStateException.class, () -> tokenizer.encode("hello"));
  }

  @Test void setsNoSystemPropertyAndKnowsThePlatforms() throws IOException {
    Properties before = (Properties) System.getProperties().clone();
    try (Tokenizer tokenizer = Tokenizer.load(Vocabularies.write(directory))) {
      assertEquals(1, tokenizer.encode("hello").length);
    }
    assertEquals(before, System.getProperties());
    assertEquals("linux-x86_64", NativeTokenizers.platform("Linux", "amd64"));
    assertEquals("osx-aarch64", NativeTokenizers.platform("Mac OS X", "aarch64"));
    assertEquals("win-x86_64", NativeTokenizers.platform("Windows 11", "amd64"));
  }

  private static void assertNames(String place, String problem, Path path) {
    String message = assertThrows(TokenizerException.class, () -> Tokenizer.load(path)).getMessage();
    assertTrue(message.contains(place) && message.contains(problem), message);
  }
}
