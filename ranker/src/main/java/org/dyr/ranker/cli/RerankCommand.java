package org.dyr.ranker.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Callable;
import org.dyr.ranker.Ranked;
import org.dyr.ranker.Ranker;
import org.dyr.ranker.eval.RunWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code dyr rerank}: passages from standard input, the best first. */
@Command(name = "rerank", sortOptions = false,
    description = "Ranks the passages on standard input, one a line, for a query; prints rank<TAB>score<TAB>passage.")
final class RerankCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelOption model;

  @Option(names = "--query", required = true, paramLabel = "TEXT", description = "The query.")
  private String query;

  private int top = Integer.MAX_VALUE;

  @Option(names = "--top", paramLabel = "N", description = "Print the best N only.")
  private void setTop(int n) {
    if (n < 1) throw new ParameterException(spec.commandLine(), "--top must be at least 1, not " + n);
    top = n;
  }

  @Override public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    List<String> passages;
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in,
        StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)))) {
      passages = in.lines().toList();
    } catch (UncheckedIOException e) {
      if (!(e.getCause() instanceof CharacterCodingException)) throw e;
      throw new IOException("standard input is not UTF-8: convert it first (iconv -t UTF-8)", e);
    }
    try (Ranker ranker = model.open()) {
      int rank = 0;
      for (Ranked r : ranker.rerank(query, passages)) {
        if (++rank > top) break;
        out.print(rank + "\t" + RunWriter.score(r.score()) + "\t" + r.passage() + "\n");
      }
    }
    return 0;
  }
}
