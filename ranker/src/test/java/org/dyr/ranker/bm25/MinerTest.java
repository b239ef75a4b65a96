package org.dyr.ranker.bm25;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.dyr.ranker.data.Passage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MinerTest {
  private static final int QUERIES = 600; // more than are searched at once

  @TempDir Path folder;
  private final Map<String, String> queries = new LinkedHashMap<>();
  private final Bm25 index = Bm25.of(passages(), Bm25Settings.of(Bm25Settings.Analysis.ENGLISH));

  private List<Passage> passages() {
    Random random = new Random(5);
    List<Passage> passages = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      passages.add(new Passage("p" + i, "w" + random.nextInt(40) + " w" + random.nextInt(40)));
    }
    for (int q = 0; q < QUERIES; q++) queries.put("q" + q, "w" + random.nextInt(50) + " w" + random.nextInt(50));
    return passages;
  }

  @AfterEach void close() {
    index.close();
  }

  @Test void theFileDoesNotDependOnThreads() throws IOException {
    Path one = folder.resolve("one.tsv"), three = folder.resolve("three.tsv");
    List<Integer> progress = new ArrayList<>();
    Miner.Summary summary = new Miner(index, 7, 1, Optional.empty()).mine(queries, one, progress::add);
    assertEquals(summary, new Miner(index, 7, 3, Optional.empty()).mine(queries, three, done -> {}));
    assertEquals(-1, Files.mismatch(one, three));
    assertEquals(List.of(256, 512, 600), progress);
    List<String> lines = Files.readAllLines(one);
    assertEquals(summary.lines(), lines.size());
    assertEquals(QUERIES, summary.queries());
    List<String> qids = lines.stream().map(line -> line.split("\t")[0]).distinct().toList();
    assertEquals(QUERIES - summary.withoutHits(), qids.size());
    assertTrue(summary.withoutHits() > 0, "some words are in no passage");
    assertEquals(queries.keySet().stream().filter(qids::contains).toList(), qids, "the order of the queries");
  }

  @Test void whatIsStoppedLeavesNoFile() throws IOException {
    Path out = folder.resolve("out.tsv");
    assertThrows(CancellationException.class, 
        () -> new Miner(index, 7, 2, Optional.empty()).mine(queries, out, done -> {
      throw new CancellationException();
    }));
    try (var left = Files.list(folder)) {
      assertEquals(0, left.count());
    }
  }

  @Test void anIdThatNoFileCanHoldIsNamed() {
    Path out = folder.resolve("out.tsv");
    String message = assertThrows(IllegalArgumentException.class,
        () -> new Miner(index, 1, 1, Optional.empty()).mine(Map.of("a b", "w1"), out, done -> {})).getMessage();
    assertTrue(message.startsWith("'a b' cannot stand in a run file"), message);
    assertFalse(Files.exists(out));
    assertThrows(IllegalArgumentException.class, () -> new Miner(index, 0, 1, Optional.empty()));
    assertThrows(IllegalArgumentException.class, () -> new Miner(index, 1, 0, Optional.empty()));
  }
}
