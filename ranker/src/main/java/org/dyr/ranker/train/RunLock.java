package org.dyr.ranker.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Keeps a second run out of an output directory. The system lets go of it when the process ends, however it ends. */
final class RunLock implements AutoCloseable {
  private static final String FILE = ".lock";

  private final FileChannel channel;

  /** @throws ConfigException when another run has the directory, in this process or another, or it cannot be locked */
  RunLock(Path out) throws IOException {
    channel = FileChannel.open(out.resolve(FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    boolean mine = false;
    try {
      mine = channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      // of this process: not mine
    } catch (IOException e) {
      throw new ConfigException("", "out %s cannot be locked (%s): name one on a file system with locks".formatted(out,
          e.getMessage()));
    } finally {
      if (!mine) channel.close();
    }
    if (!mine) {
      throw new ConfigException("",
          "another run is at work in out %s: wait for it, or name another out".formatted(out));
    }
  }

  @Override public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
