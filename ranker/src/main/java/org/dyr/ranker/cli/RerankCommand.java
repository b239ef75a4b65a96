package org.dyr.ranker.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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
    List<String> passages = lines(System.in.readAllBytes());
    try (Ranker ranker = model.open()) {
      int rank = 0;
      for (Ranked r : ranker.rerank(query, passages)) {
        if (++rank > top) break;
        out.print(rank + "\t" + RunWriter.score(r.score()) + "\t" + r.passage() + "\n");
      }
    }
    return 0;
  }

  /** As the lines of a file are read: LF or CR LF ends one and nothing else does; a byte order mark is dropped. */
  private static List<String> lines(byte[] input) throws IOException {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(input)).toString();
    } catch (CharacterCodingException e) {
      throw new IOException("standard input is not UTF-8: convert it first (iconv -t UTF-8)", e);
    }
    List<String> lines = new ArrayList<>(List.of(text.substring(text.startsWith("\uFEFF") ? 1 : 0).split("\n", -1)));
    if (lines.getLast().isEmpty()) lines.removeLast();
    lines.replaceAll(line -> line.endsWith("\r") ? line.substring(0, line.length() - 1) : line);
    return lines;
  }
}
