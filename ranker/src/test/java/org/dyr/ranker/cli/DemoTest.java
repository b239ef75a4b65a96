package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What a newcomer runs first. */
class DemoTest {
  private static final int BEST = 5;

  @TempDir Path folder;

  @Test void theModelLearnsTheSampleAndIsKept() {
    StringWriter out = new StringWriter(), err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    assertEquals(0, line.execute("demo", "--out", folder.toString(), "--threads", "2"), err.toString());
    double random = mrr(out, "random order"), words = mrr(out, "BM25 order"), model = mrr(out, "the model");
    assertTrue(random < words && words < model, out.toString());
    assertEquals(BEST, out.toString().lines().filter(l -> l.matches("[* ] \\d +-?\\d+\\.\\d\\d  .+")).count(), out.toString());
    assertTrue(Files.isRegularFile(folder.resolve("run/model/model.safetensors")));
  }

  @Test void aDemoBeforeIsNotGoneOnWith() throws IOException {
    Path run = Files.createDirectories(folder.resolve("run"));
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setErr(new PrintWriter(err, true));
    assertEquals(1, line.execute("demo", "--out", folder.toString()));
    assertEquals("dyr demo: " + run + ": is the run of a demo before: remove it, or name another --out\n", err.toString());
    assertFalse(Files.exists(folder.resolve("sample")));
  }

  private static double mrr(StringWriter out, String order) {
    Matcher m = Pattern.compile("^  " + order + " +(\\d\\.\\d{3})", Pattern.MULTILINE).matcher(out.toString());
    assertTrue(m.find(), () -> order + " is not in: " + out);
    return Double.parseDouble(m.group(1));
  }
}
