package org.dyr.ranker.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Ctrl-C and SIGTERM as a request: the work under way is brought to a good end, then the process leaves by {@link
 * #exit} with the command's own code. The JVM, which is already shutting down, is held back until then; further signals
 * change nothing.
 */
final class Interrupt implements AutoCloseable {
  /** The exit code of work that a signal has cut short; a shell's for Ctrl-C, which Java does not tell from SIGTERM. */
  static final int STOPPED = 130;

  private static final CountDownLatch NEVER = new CountDownLatch(1);
  private static volatile boolean held;

  private final Thread hook = new Thread(this::shutDown, "dyr-interrupt");
  private volatile boolean requested;

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Whether the work should end soon. */
  boolean requested() {
    return requested;
  }

  private void shutDown() {
    held = true;
    requested = true;
    try {
      NEVER.await();
    } catch (InterruptedException e) {
      Runtime.getRuntime().halt(1);
    }
  }

  /** The work has come to its end: a signal from now on is the system's again. */
  @Override public void close() {
    if (requested) return;
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The signal has come this very moment: the hook is running, or about to.
      held = true;
    }
  }

  /** Ends the process, all its output written, even where a signal has begun to shut it down. */
  static void exit(int code) {
    if (held) Runtime.getRuntime().halt(code);
    System.exit(code);
  }
}
