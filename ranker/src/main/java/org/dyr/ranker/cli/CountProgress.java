package org.dyr.ranker.cli;

import java.io.PrintWriter;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** How many of a known number are done: a bar on a terminal, a line every tenth elsewhere. */
final class CountProgress implements AutoCloseable {
  private final String what;
  private final int total;
  private final PrintWriter err;
  private final ProgressBar bar;
  private int printed;

  CountProgress(String what, int total, PrintWriter err) {
    this.what = what;
    this.total = total;
    this.err = err;
    boolean terminal = System.console() != null && System.console().isTerminal();
    bar = terminal ? new ProgressBarBuilder().setTaskName(what).setInitialMax(total).setStyle(ProgressBarStyle.ASCII)
        .build()
        : null;
  }

  void at(int done) {
    if (bar != null) {
      bar.stepTo(done);
    } else if (done * 10L / total > printed) {
      printed = (int) (done * 10L / total);
      err.println("%d of %d %s".formatted(done, total, what));
      err.flush();
    }
  }

  @Override public void close() {
    if (bar != null) bar.close();
  }
}
