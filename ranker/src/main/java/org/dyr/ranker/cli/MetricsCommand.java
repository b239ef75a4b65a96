package org.dyr.ranker.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.eval.MetricsReport;
import org.dyr.ranker.eval.Qrels;
import org.dyr.ranker.eval.RunReader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr metrics}: what a run file is worth against judgements. */
@Command(
    name = "metrics",
    sortOptions = false,
    description = "Measures a run against judgements: MRR@10, MRR@100, nDCG@10, MAP, Recall@100.",
    footer = {
      "",
      "Each figure comes twice: averaged over the queries in both files, and over all judged queries (a query without a"
          + " list counts 0). Equal scores rank by falling passage id, as in trec_eval. Files are UTF-8, plain"
          + " or gzipped, columns between blanks or tabs."})
final class MetricsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(names = "--qrels", required = true, paramLabel = "FILE", description = "Judgements: qid 0 pid grade.")
  private Path qrels;

  @Option(names = "--run", required = true, paramLabel = "FILE",
      description = "The run: TREC (qid Q0 pid rank score tag), MS MARCO (qid pid rank, a score may follow) or scores"
          + " (qid pid score).")
  private Path run;

  private int relevantFrom = 1;

  @Option(names = "--json", description = "Print JSON in place of the table.")
  private boolean json;

  @Option(names = "--relevant-from", paramLabel = "N",
      description = "Lowest grade that counts as relevant (1); nDCG uses the grades themselves.")
  private void setRelevantFrom(int grade) {
    if (grade < 1) {
      throw new ParameterException(spec.commandLine(), "--relevant-from must be at least 1, not " + grade);
    }
    relevantFrom = grade;
  }

  @Override public Integer call() {
    RunReader.Result read = RunReader.read(run);
    Metrics metrics = Metrics.compute(Qrels.read(qrels), read.run(), relevantFrom);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.print(MetricsReport.json(metrics) + "\n");
    } else {
      out.print(run + ": " + read.format().words() + "\n" + MetricsReport.table(metrics));
    }
    return 0;
  }
}
