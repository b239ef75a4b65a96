package org.dyr.ranker.eval;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dyr.io.AtomicFiles;

/** Writes a UTF-8 text file whole or not at all, but for pipes and devices: see {@link AtomicFiles#write}. */
public final class AtomicText {
  private static final int BUFFER = 1 << 16;

  private AtomicText() {}

  /** What fills the file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(Writer out) throws IOException;
  }

  /** The folder is made when it is not there. When the content fails, the file is left as it was. */
  public static void write(Path file, Content content) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    AtomicFiles.write(file, channel -> {
      Writer out = new BufferedWriter(Channels.newWriter(channel, StandardCharsets.UTF_8), BUFFER);
      content.writeTo(out);
      out.flush(); // the channel is not this writer's to close
    });
  }
}
