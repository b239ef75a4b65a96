package org.dyr.ranker.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.dyr.ranker.eval.AtomicText;

/** A file of JSON lines, each with its {@code step}; a line is on its way to the disk when {@link #write} returns. */
final class MetricsLog implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  private final Writer file;

  /** Opens the file; lines of steps after {@code lastStep}, which a run that goes on will write anew, are cut off. */
  MetricsLog(Path path, long lastStep) throws IOException {
    List<String> kept = Files.exists(path)
        ? Files.readAllLines(path).stream().filter(line -> stepOf(line) <= lastStep).toList() : List.of();
    // In one step: a process killed here must not lose the lines that no run will write again.
    AtomicText.write(path, text -> {
      for (String line : kept) text.append(line).append('\n');
    });
    file = Files.newBufferedWriter(path, StandardOpenOption.APPEND);
  }

  /** A line that a killed process left incomplete counts as later than any step. */
  private static long stepOf(String line) {
    try {
      return JSON.readTree(line).path("step").asLong(Long.MAX_VALUE);
    } catch (IOException e) {
      return Long.MAX_VALUE;
    }
  }

  void write(ObjectNode line) throws IOException {
    file.write(line + "\n");
    file.flush();
  }

  @Override public void close() throws IOException {
    file.close();
  }
}
