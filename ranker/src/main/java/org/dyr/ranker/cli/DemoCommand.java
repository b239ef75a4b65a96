package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.Ranked;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.bm25.Bm25;
import org.dyr.ranker.bm25.Bm25Settings;
import org.dyr.ranker.data.DataException;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.demo.Sample;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.Qrels;
import org.dyr.ranker.eval.Run;
import org.dyr.ranker.eval.ScoredPool;
import org.dyr.ranker.train.ConfigLoader;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.Trainer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dyr demo}: the whole way on the embedded sample, in about a minute. */
@Command(name = "demo", sortOptions = false,
    description =
        "Trains a small BERT on the embedded sample, measures it on questions it has not seen, and reranks one.")
final class DemoCommand implements Callable<Integer> {
  private static final int SHUFFLES = 200;
  private static final int SHOWN = 5;
  private static final String RUN = "run";

  /**
   * Two layers of 64. Beginning at 1/sqrt(64), matrices keep the size of what they multiply: a small model learns
   * sooner.
   */
  private static final String MODEL = """
      {"model_type": "bert", "vocab_size": 640, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
       "intermediate_size": 128, "max_position_embeddings": 64, "initializer_range": 0.125}
      """;

  private static final Map<String, String> SETTINGS = Map.of("dev_split", "none", "epochs", "10",
      "group_size", "8", "batch_groups", "8", "max_length", "64", "max_query_length", "24", "dropout", "0",
      "optimizer.learning_rate", "5e-3", "optimizer.end_learning_rate", "0", "checkpoint_every", "1000000");

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--out", paramLabel = "DIR", description = "Keep sample, metrics and model there.")
  private Path out;

  @Override public Integer call() throws IOException {
    if (out != null) requireFree(out.resolve(RUN));
    Path folder = out == null ? Files.createTempDirectory("dyr-demo") : out;
    try {
      run(folder);
    } finally {
      if (out == null) AtomicFiles.removeTree(folder);
    }
    return 0;
  }

  /** The trainer, too, would refuse it, but by advising what a demo cannot do: to go on. */
  private static void requireFree(Path run) {
    if (!Files.exists(run)) return;
    throw new DataException(run, "is the run of a demo before: remove it, or name another --out");
  }

  private void run(Path folder) throws IOException {
    PrintWriter print = spec.commandLine().getOut();
    Path data = folder.resolve("sample");
    Sample.writeTo(data);
    Files.writeString(folder.resolve("config.json"), MODEL);
    Map<String, String> settings = new LinkedHashMap<>(SETTINGS);
    settings.putAll(Map.of("data", data.toString(), "model_config", folder.resolve("config.json").toString(), "vocab",
        data.resolve(Sample.VOCAB).toString(), "out", folder.resolve(RUN).toString()));
    settings.putAll(common.overrides());
    TrainConfig config = ConfigLoader.of(settings);
    long start = System.nanoTime();
    try (TrainingProgress progress = new TrainingProgress(spec.commandLine().getErr());
        Trainer trainer = new Trainer(config, Optional.empty(), new Trainer.Watch(false, false), progress)) {
      trainer.run(() -> false);
    }
    print.println(String.format(Locale.ROOT, "trained from scratch in %.0f s", (System.nanoTime() - start) / 1e9));
    RankingData test = RankingData.load(data, "test");
    try (Ranker ranker = Ranker.load(folder.resolve(RUN).resolve("model"), config.device(), common.deviceOptions())) {
      compare(print, test, ranker);
      show(print, test.queries().get(test.queries().size() / 2), ranker);
    }
    if (out != null) print.println("\nsample and model are kept in " + out);
    print.flush();
  }

  /** MRR@10 of random order, of BM25 and of the model, on the same pools. */
  private static void compare(PrintWriter print, RankingData test, Ranker ranker) {
    List<Query> queries = test.queries();
    List<ScoredPool> byModel = new ArrayList<>(), byWords = new ArrayList<>();
    try (Bm25 bm25 = Bm25.of(passages(queries), Bm25Settings.of(Bm25Settings.Analysis.STANDARD))) {
      for (Query q : queries) {
        float[] scores = ranker.score(q.text(), q.pool().stream().map(Passage::text).toList());
        List<ScoredPool.Passage> scored = new ArrayList<>();
        for (int i = 0; i < scores.length; i++) scored.add(new ScoredPool.Passage(q.pool().get(i).id(), scores[i]));
        byModel.add(new ScoredPool(q.id(), scored));
        byWords.add(bm25.score(q));
      }
    }
    Qrels qrels = PoolEvaluator.qrels(queries);
    print.println("\nMRR@10 on %d questions the model has not seen, %d passages each:".formatted(queries.size(),
        queries.get(0).pool().size()));
    line(print, "random order", random(queries, qrels));
    line(print, "BM25 order", mrr(qrels, byWords));
    line(print, "the model", mrr(qrels, byModel));
  }

  private static void line(PrintWriter print, String what, double mrr) {
    print.println(String.format(Locale.ROOT, "  %-14s %.3f  %s", what, mrr, "#".repeat((int) Math.round(40 * mrr))));
  }

  private static double mrr(Qrels qrels, List<ScoredPool> pools) {
    return Metrics.compute(qrels, Run.of(pools), 1).overJudgedQueries().mrr10();
  }

  /** The mean over shuffles, from a fixed seed. */
  private static double random(List<Query> queries, Qrels qrels) {
    Random random = new Random(1);
    double sum = 0;
    for (int i = 0; i < SHUFFLES; i++) {
      Map<String, List<String>> lists = new LinkedHashMap<>();
      for (Query q : queries) {
        List<String> pids = new ArrayList<>(q.pool().stream().map(Passage::id).toList());
        Collections.shuffle(pids, random);
        lists.put(q.id(), pids);
      }
      sum += Metrics.compute(qrels, new Run(lists), 1).overJudgedQueries().mrr10();
    }
    return sum / SHUFFLES;
  }

  private static Set<Passage> passages(List<Query> queries) {
    Set<Passage> all = new HashSet<>();
    for (Query q : queries) all.addAll(q.pool());
    return all;
  }

  private static void show(PrintWriter print, Query q, Ranker ranker) {
    print.println("\n" + q.text());
    int rank = 0;
    for (Ranked r : ranker.rerank(q.text(), q.pool().stream().map(Passage::text).toList()).subList(0, SHOWN)) {
      boolean relevant = q.judgements().getOrDefault(q.pool().get(r.index()).id(), 0) > 0;
      print.println(String.format(Locale.ROOT, "%s%d  %6.2f  %s", relevant ? "* " : "  ", ++rank, r.score(),
          r.passage()));
    }
    print.println("(* = judged relevant)");
  }
}
