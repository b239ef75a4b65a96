package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.ranker.Ranked;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.ModelException;
import org.dyr.ranker.text.PairLengths;
import org.dyr.ranker.text.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The ranker as applications embed it, over a model directory that the project itself has written. */
class RankerTest {
  private static final int THREADS = 8;

  @TempDir Path folder;
  private Path directory;

  @BeforeEach
  void write() throws IOException {
    TinyData.write(folder);
    directory = folder.resolve("model");
    try (Backend backend = KernelSets.open("reference");
        Model model = Model.create(TinyData.model(0.1), Tokenizer.load(folder.resolve("vocab.txt")), backend, 1)) {
      ModelDirectory.save(model, directory);
    }
  }

  static List<String> sets() {
    return KernelSets.names();
  }

  private Ranker load(String set) {
    return Ranker.load(directory, "cpu", new DeviceOptions(2, set));
  }

  @ParameterizedTest
  @MethodSource("sets")
  void ranksByScore(String set) {
    List<String> passages = TinyData.passages();
    try (Ranker ranker = load(set); Ranker reference = load("reference")) {
      float[] scores = ranker.score(TinyData.query(3), passages);
      assertArrayEquals(reference.score(TinyData.query(3), passages), scores, 1e-5f);
      List<Ranked> ranked = ranker.rerank(TinyData.query(3), passages);
      assertEquals(passages.size(), ranked.size());
      for (int i = 0; i < ranked.size(); i++) {
        Ranked r = ranked.get(i);
        assertEquals(scores[r.index()], r.score());
        assertEquals(passages.get(r.index()), r.passage());
        if (i > 0) assertTrue(ranked.get(i - 1).score() >= r.score());
      }
      assertEquals(IntStream.range(0, passages.size()).boxed().toList(),
          ranked.stream().map(Ranked::index).sorted().toList());
      assertArrayEquals(new float[0], ranker.score("where", List.of()));
      assertEquals(List.of(), ranker.rerank("where", List.of()));
      assertEquals(2, ranker.score(List.of("", "where"), List.of("", "the river")).length);
    }
  }

  /** A classifier of zeros scores all alike. */
  @Test void tiesKeepTheOrderGiven() {
    ModelFiles.zero(directory, "classifier.weight");
    try (Ranker ranker = load("auto")) {
      List<Ranked> ranked = ranker.rerank("where", TinyData.passages());
      assertEquals(IntStream.range(0, TinyData.TOPICS).boxed().toList(), ranked.stream().map(Ranked::index).toList());
      assertEquals(0, ranked.get(0).score());
    }
  }

  @Test void aLongPassageIsCutAndCounted() {
    String longest = "the river ".repeat(500);
    try (Ranker ranker = load("auto")) {
      float[] scores = ranker.score("where", List.of(longest, "the river ".repeat(600), "the river"));
      assertEquals(2, ranker.truncatedPassages());
      assertEquals(scores[0], scores[1], 1e-5, "cut at the same place");
    }
  }

  /** What follows the cut of its training does not reach it, though it has positions for more. */
  @Test void itReadsAsMuchAsItWasTrainedOn() {
    PairLengths lengths = new PairLengths(10, 4);
    try (Backend backend = KernelSets.open("reference"); Model model = ModelDirectory.load(directory, backend)) {
      assertEquals(PairLengths.of(model.bert().config().maxPositions()), model.lengths());
      ModelDirectory.save(model.reading(lengths), folder.resolve("short"));
    }
    try (Backend backend = KernelSets.open("reference");
        Model model = ModelDirectory.load(folder.resolve("short"), backend)) {
      assertEquals(lengths, model.lengths());
    }
    try (Ranker ranker = Ranker.load(folder.resolve("short"))) {
      float[] scores = ranker.score("where", List.of("the river ".repeat(9), "the river ".repeat(4)));
      assertEquals(scores[0], scores[1], 1e-5);
      assertEquals(2, ranker.truncatedPassages());
    }
  }

  @Test void lengthsWithoutRoomForAPassageAreRefused() {
    for (PairLengths lengths : List.of(new PairLengths(7, 4), new PairLengths(16, 0))) {
      try (Backend backend = KernelSets.open("reference"); Model model = ModelDirectory.load(directory, backend)) {
        ModelDirectory.save(model.reading(lengths), folder.resolve("cramped"));
      }
      ModelException e = assertThrows(ModelException.class, () -> Ranker.load(folder.resolve("cramped")));
      assertTrue(e.getMessage().contains("config.json") && e.getMessage().contains("max_query_length"), e.getMessage());
    }
  }

  @Test void manyThreadsGetTheScoresOfOne() throws Exception {
    try (Ranker ranker = load("auto"); ExecutorService pool = Executors.newFixedThreadPool(THREADS)) {
      List<float[]> alone = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) alone.add(ranker.score(TinyData.query(i), TinyData.passages()));
      List<Callable<float[]>> calls = new ArrayList<>();
      for (int i = 0; i < 5 * THREADS; i++) {
        int query = i % THREADS;
        calls.add(() -> ranker.score(TinyData.query(query), TinyData.passages()));
      }
      List<Future<float[]>> results = pool.invokeAll(calls);
      for (int i = 0; i < calls.size(); i++) assertArrayEquals(alone.get(i % THREADS), results.get(i).get(), "call "
          + i);
    }
  }

  @Test void closingTwiceIsHarmlessAndScoringAfterwardsIsAnError() {
    Ranker ranker = load("auto");
    assertEquals(1, ranker.score("where", List.of("the river")).length);
    ranker.close();
    ranker.close();
    assertTrue(assertThrows(IllegalStateException.class, () -> ranker.score("where", List.of("the river"))).getMessage()
        .contains("closed"));
  }

  /** Calls that closing meets half-way, before they have read a passage, get their scores; later ones a clear error. */
  @Test void closingWhileOthersScore() throws Exception {
    Ranker ranker = load("auto");
    float[] expected = ranker.score("where", TinyData.passages());
    Thread closer = new Thread(ranker::close);
    CountDownLatch begun = new CountDownLatch(THREADS);
    List<String> readWhileClosing = new AbstractList<>() {
      @Override public String get(int i) {
        if (i == 0) {
          begun.countDown();
          while (!EnumSet.of(Thread.State.WAITING, Thread.State.TERMINATED).contains(closer.getState())) Thread.yield();
        }
        return TinyData.passages().get(i);
      }

      @Override public int size() {
        return TinyData.TOPICS;
      }
    };
    try (ExecutorService pool = Executors.newFixedThreadPool(THREADS)) {
      List<Future<String>> ends = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        ends.add(pool.submit(() -> {
          assertArrayEquals(expected, ranker.score("where", readWhileClosing), 1e-5f);
          try {
            while (ranker.score("where", TinyData.passages()).length == TinyData.TOPICS) Thread.onSpinWait();
            return "short of scores";
          } catch (IllegalStateException e) {
            return e.getMessage();
          }
        }));
      }
      assertTrue(begun.await(1, TimeUnit.MINUTES));
      closer.start();
      for (Future<String> end : ends) assertTrue(end.get().contains("closed"), end.get());
    }
  }

  private void assertRefused(String... parts) {
    RuntimeException e = assertThrows(RuntimeException.class, () -> load("auto"));
    for (String part : parts) assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test void aMissingFileIsNamed() throws IOException {
    for (String name : List.of("config.json", "model.safetensors", "vocab.txt")) {
      Path file = directory.resolve(name), aside = folder.resolve("aside");
      Files.move(file, aside);
      assertRefused(directory.toString(), name);
      Files.move(aside, file);
    }
    Path nowhere = folder.resolve("nowhere");
    RuntimeException e = assertThrows(RuntimeException.class, () -> Ranker.load(nowhere));
    assertEquals(nowhere.resolve("config.json") + ": no such file", e.getMessage());
  }

  @Test void aFileCutShortIsNamed() throws IOException {
    Path file = directory.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {0, 7, 100, bytes.length - 1}) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertRefused(file.toString());
    }
  }

  @Test void aModelWithoutClassifierIsNoRanker() {
    ModelFiles.rewrite(directory, (name, keep) -> name.startsWith("classifier.") ? List.of() : List.of(keep));
    assertRefused(directory.toString(), "classifier.weight", "classifier.bias", "trained for ranking");
  }

  @Test void aModelWithoutALayerIsRefused() {
    ModelFiles.rewrite(directory, (name, keep) -> name.contains("layer.1.output.dense.bias") ? List.of()
        : List.of(keep));
    assertRefused(directory.toString(), "bert.encoder.layer.1.output.dense.bias");
  }

  @Test void anotherShapeIsNamed() throws IOException {
    Path config = directory.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"intermediate_size\" : 32",
        "\"intermediate_size\" : 48"));
    assertRefused(directory.resolve("model.safetensors").toString(), "bert.encoder.layer.0.intermediate.dense.weight",
        "[32, 16]",
        "[48, 16]", "config.json");
  }

  @Test void aVocabularyLargerThanTheModelIsNamed() throws IOException {
    Path vocabulary = directory.resolve("vocab.txt");
    List<String> tokens = new ArrayList<>(Files.readAllLines(vocabulary));
    for (int i = 0; tokens.size() <= TinyData.VOCABULARY; i++) tokens.add("extra" + i);
    Files.write(vocabulary, tokens);
    assertRefused(vocabulary.toString(), "has 41 entries", "embeds 40", "vocab_size");
  }

  @Test void halfTypesLoad() {
    List<String> passages = TinyData.passages();
    float[] full = scores();
    ModelFiles.toBf16(directory);
    assertArrayEquals(full, scores(), 0.1f, "bf16 keeps 8 bits");
    float[] bf16 = scores();
    ModelFiles.bf16ToF16(directory);
    assertArrayEquals(bf16, scores(), 1e-3f, "what bf16 has left fits f16");
    assertEquals(passages.size(), full.length);
  }

  private float[] scores() {
    try (Ranker ranker = load("reference")) {
      return ranker.score(TinyData.query(1), TinyData.passages());
    }
  }

  @Test void shardsLoad() throws IOException {
    float[] whole = scores();
    ModelFiles.shard(directory, 3);
    assertTrue(Files.notExists(directory.resolve("model.safetensors")));
    assertArrayEquals(whole, scores());
  }
}
