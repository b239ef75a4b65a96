package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.dyr.device.Backend;
import org.dyr.device.Devices;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.data.RankingData;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.eval.MetricsReport;
import org.dyr.ranker.eval.PoolEvaluator;
import org.dyr.ranker.eval.Run;
import org.dyr.ranker.eval.RunWriter;
import org.dyr.ranker.eval.ScoredPool;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelDirectory;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.ranker.text.TokenCache;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr eval}: scores the pool of a split and measures the ranking. */
@Command(name = "eval", sortOptions = false,
    description = "Scores the pool of a split; writes scores.tsv, run.trec and metrics.json, and prints the measures.")
final class EvalCommand implements Callable<Integer> {
  private static final long TOKEN_CACHE_BYTES = 256L << 20;

  @Spec private CommandSpec spec;
  @Mixin private ModelOption options;

  @Option(names = "--data", required = true, paramLabel = "DIR", description = "Folder of the data set.")
  private Path data;

  @Option(names = "--split", required = true, paramLabel = "NAME", description = "Which queries, judgements and pool.")
  private String split;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where the files go.")
  private Path out;

  private int relevantFrom = 1;

  @Option(names = "--relevant-from", paramLabel = "N", description = "Lowest grade that counts as relevant (1).")
  private void setRelevantFrom(int grade) {
    if (grade < 1) throw new ParameterException(spec.commandLine(), "--relevant-from must be at least 1, not " + grade);
    relevantFrom = grade;
  }

  @Override public Integer call() throws IOException {
    PrintWriter print = spec.commandLine().getOut();
    RankingData set = RankingData.load(data, split);
    Files.createDirectories(out);
    try (Backend backend = Devices.open(options.common.device(), options.deviceOptions());
        Model model = ModelDirectory.load(options.directory, backend);
        Scorer scorer = new Scorer(model, Set.of())) {
      int longest = model.bert().config().maxPositions();
      PairEncoder encoder = new PairEncoder(model.tokenizer(), longest, Math.min(Ranker.MAX_QUERY_LENGTH, longest / 2));
      TokenCache tokens = new TokenCache(model.tokenizer(), longest, TOKEN_CACHE_BYTES);
      List<ScoredPool> pools;
      try (CountProgress progress = new CountProgress("queries", set.queries().size(), spec.commandLine().getErr())) {
        pools = new PoolEvaluator(scorer, encoder, tokens).score(set.queries(), progress::at);
      }
      RunWriter.writeScores(out.resolve("scores.tsv"), pools);
      RunWriter.writeTrec(out.resolve("run.trec"), pools, "dyr");
      Metrics metrics = Metrics.compute(PoolEvaluator.qrels(set.queries()), Run.of(pools), relevantFrom);
      MetricsReport.writeJson(out.resolve("metrics.json"), metrics);
      print.print(MetricsReport.table(metrics));
      print.print("%,d passages and %,d queries were cut to fit\n".formatted(encoder.truncatedPassages(),
          encoder.truncatedQueries()));
    }
    return 0;
  }
}
