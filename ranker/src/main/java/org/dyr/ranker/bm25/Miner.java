package org.dyr.ranker.bm25;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;
import org.dyr.ranker.eval.AtomicText;
import org.dyr.ranker.eval.RunWriter;
import org.dyr.ranker.eval.ScoredPool;

/**
 * Searches many queries and writes what was found as {@code qid<TAB>pid<TAB>rank<TAB>score}: queries in the order
 * given, ranks from 1. The file does not depend on the number of threads.
 */
public final class Miner {
  private static final int QUERIES_AT_ONCE = 256;

  /** A passage found: its rank from 1 and BM25's score. */
  record Hit(String pid, int rank, float score) {}

  /** A query and what was found for it, best first. */
  record Found(String qid, String text, List<Hit> hits) {}

  /**
   * What was written.
   *
   * @param withoutHits queries for which nothing was found: they have no line
   * @param lines passages written, over all queries
   */
  public record Summary(int queries, int withoutHits, long lines) {}

  private final Bm25 index;
  private final int depth;
  private final int threads;
  private final Optional<FalseNegatives> filter;

  /**
   * @param depth passages a query, at most; at least 1
   * @param threads of the search, at least 1; they end with {@link #mine}
   * @param filter what takes passages out again; the ranks of the others stay as they were
   */
  public Miner(Bm25 index, int depth, int threads, Optional<FalseNegatives> filter) {
    if (depth < 1) throw new IllegalArgumentException("depth must be at least 1, not " + depth);
    if (threads < 1) throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    this.index = index;
    this.depth = depth;
    this.threads = threads;
    this.filter = filter;
  }

  /**
   * Searches the queries and writes the file, whole or not at all.
   *
   * @param queries qid to text
   * @param progress is told how many queries are done, now and then the same number again; what it throws ends the work
   * @throws IllegalArgumentException when an id is empty or holds white space
   */
  public Summary mine(Map<String, String> queries, Path out, IntConsumer progress) throws IOException {
    List<Map.Entry<String, String>> all = List.copyOf(queries.entrySet());
    int[] withoutHits = {0};
    long[] lines = {0};
    try (ExecutorService pool = Executors.newFixedThreadPool(threads,
        Thread.ofPlatform().daemon().name("dyr-search-", 0).factory())) {
      AtomicText.write(out, file -> {
        for (int from = 0; from < all.size(); from += QUERIES_AT_ONCE) {
          List<Found> found = search(all.subList(from, Math.min(from + QUERIES_AT_ONCE, all.size())), pool);
          for (Found f : found) if (f.hits().isEmpty()) withoutHits[0]++;
          int before = from;
          if (filter.isPresent()) found = filter.get().without(found, index::passage, () -> progress.accept(before));
          for (Found f : found) {
            for (Hit hit : f.hits()) {
              file.append(RunWriter.id(f.qid())).append('\t').append(RunWriter.id(hit.pid())).append('\t')
                  .append(Integer.toString(hit.rank())).append('\t').append(RunWriter.score(hit.score())).append('\n');
              lines[0]++;
            }
          }
          progress.accept(Math.min(from + QUERIES_AT_ONCE, all.size()));
        }
      });
    }
    return new Summary(all.size(), withoutHits[0], lines[0]);
  }

  private List<Found> search(List<Map.Entry<String, String>> queries, ExecutorService pool) {
    List<Callable<Found>> searches = new ArrayList<>();
    for (Map.Entry<String, String> q : queries) searches.add(() -> found(q.getKey(), q.getValue()));
    List<Found> found = new ArrayList<>();
    try {
      for (Future<Found> search : pool.invokeAll(searches)) found.add(search.get());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted while searching");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) throw failure;
      throw new IllegalStateException(e.getCause());
    }
    return found;
  }

  private Found found(String qid, String text) {
    List<Hit> hits = new ArrayList<>();
    for (ScoredPool.Passage p : index.search(text, depth)) hits.add(new Hit(p.pid(), hits.size() + 1, p.score()));
    return new Found(qid, text, hits);
  }
}
