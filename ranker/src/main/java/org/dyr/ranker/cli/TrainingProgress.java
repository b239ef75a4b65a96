package org.dyr.ranker.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.dyr.ranker.eval.Metrics;
import org.dyr.ranker.remote.RemotePaths;
import org.dyr.ranker.train.TrainingListener;

/**
 * A run on the terminal: a bar with loss, rate, speed and time left; a line every tenth of the run where there is none.
 */
final class TrainingProgress implements TrainingListener, AutoCloseable {
  private static final int BAR_WIDTH = 150;
  private static final int REFRESH_MILLIS = 500;
  private static final double SMOOTHING = 0.95;

  private final PrintWriter err;
  private final boolean terminal = System.console() != null && System.console().isTerminal();
  private ProgressBar bar;
  private long total;
  private long printed;
  private double loss = Double.NaN;
  private double sequencesPerSecond = Double.NaN;
  private double tokensPerSecond = Double.NaN;

  TrainingProgress(PrintWriter err) {
    this.err = err;
  }

  @Override public void started(List<String> lines, long first, long total) {
    lines.forEach(err::println);
    err.flush();
    this.total = total;
    if (!terminal) return;
    bar = new ProgressBarBuilder().setTaskName("training").setInitialMax(total).setUpdateIntervalMillis(REFRESH_MILLIS)
        .setStyle(ProgressBarStyle.ASCII).setMaxRenderedLength(BAR_WIDTH).startsFrom(first, Duration.ZERO).build();
  }

  @Override public void stepped(StepRecord s) {
    loss = smooth(loss, s.loss());
    sequencesPerSecond = smooth(sequencesPerSecond, s.sequences() / s.seconds());
    tokensPerSecond = smooth(tokensPerSecond, s.tokens() / s.seconds());
    String text = String.format(Locale.ROOT, "loss %.4f lr %.2e %.1f seq/s %.0f tok/s", loss, s.learningRate(),
        sequencesPerSecond, tokensPerSecond)
        + (s.skipped() > 0 ? ", %d steps skipped (loss scale %.0f)".formatted(s.skipped(), s.lossScale()) : "");
    if (bar != null) {
      bar.setExtraMessage(" " + text);
      bar.stepTo(s.step());
    } else if (s.step() * 10 / total > printed || s.step() == total) {
      printed = s.step() * 10 / total;
      say("step %d of %d: %s".formatted(s.step(), total, text));
    }
  }

  private static double smooth(double old, double now) {
    return Double.isNaN(old) ? now : SMOOTHING * old + (1 - SMOOTHING) * now;
  }

  @Override public void evaluated(long step, Metrics m, boolean best) {
    say(String.format(Locale.ROOT, "step %d: dev MRR@10 %.4f over %d judged queries%s", step,
        m.overJudgedQueries().mrr10(), m.judgedQueries(), best ? ", the best so far" : ""));
  }

  @Override public void saved(Path path) {
    if (!terminal) say("saved " + RemotePaths.text(path));
  }

  private void say(String line) {
    if (bar != null) err.print("\r\033[K");
    err.println(line);
    err.flush();
  }

  @Override public void close() {
    if (bar != null) bar.close();
    bar = null;
    err.flush();
  }
}
