package org.dyr.ranker.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/**
 * Keeps a second run out of an output directory. The system lets go of it when the process ends, however it ends; but it
 * also does when the process closes any channel on the file, so a second run in one process must not open it.
 */
final class RunLock implements AutoCloseable {
  private static final String FILE = ".lock";
  private static final Set<Path> HELD = new HashSet<>(); // real paths; guarded by itself

  private final Path directory;
  private final FileChannel channel;

  /** @throws ConfigException when another run has the directory, in this process or another, or it cannot be locked */
  RunLock(Path out) throws IOException {
    directory = out.toRealPath();
    synchronized (HELD) {
      if (!HELD.add(directory)) throw busy(out);
    }
    boolean mine = false;
    try {
      channel = locked(out);
      mine = true;
    } finally {
      if (!mine) letGo();
    }
  }

  private static FileChannel locked(Path out) throws IOException {
    FileChannel channel = FileChannel.open(out.resolve(FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    boolean mine = false;
    try {
      mine = channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      // of this process, by another name: not mine
    } catch (IOException e) {
      throw new ConfigException("", "out %s cannot be locked (%s): name one on a file system with locks".formatted(out,
          e.getMessage()));
    } finally {
      if (!mine) channel.close();
    }
    if (!mine) throw busy(out);
    return channel;
  }

  private static ConfigException busy(Path out) {
    return new ConfigException("", "another run is at work in out %s: wait for it, or name another out".formatted(out));
  }

  private void letGo() {
    synchronized (HELD) {
      HELD.remove(directory);
    }
  }

  @Override public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      letGo();
    }
  }
}
