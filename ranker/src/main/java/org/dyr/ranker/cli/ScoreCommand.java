package org.dyr.ranker.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.data.Lines;
import org.dyr.ranker.eval.AtomicText;
import org.dyr.ranker.eval.RunWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code dyr score}: one logit a pair. */
@Command(name = "score", sortOptions = false, description = "Scores pairs of a query and a passage.")
final class ScoreCommand implements Callable<Integer> {
  private static final int PAIRS_AT_ONCE = 4096;

  @Mixin private ModelOption model;

  @Option(names = "--pairs", required = true, paramLabel = "FILE", description = "A line a pair: query<TAB>passage.")
  private Path pairs;

  @Option(names = "--out", required = true, paramLabel = "FILE",
      description = "A line a pair: the raw logit, nine significant digits, in the order of the pairs.")
  private Path out;

  @Override public Integer call() throws IOException {
    try (Ranker ranker = model.open(); Lines lines = Lines.open(pairs)) {
      AtomicText.write(out, file -> {
        List<String> queries = new ArrayList<>(), passages = new ArrayList<>();
        for (String[] pair = next(lines); ; pair = next(lines)) {
          if (pair != null) {
            queries.add(pair[0]);
            passages.add(pair[1]);
          }
          if (queries.size() == PAIRS_AT_ONCE || pair == null) {
            for (float score : ranker.score(queries, passages)) file.append(RunWriter.score(score)).append('\n');
            queries.clear();
            passages.clear();
          }
          if (pair == null) break;
        }
      });
    }
    return 0;
  }

  private static String[] next(Lines lines) {
    return lines.next(2, "query<TAB>passage");
  }
}
