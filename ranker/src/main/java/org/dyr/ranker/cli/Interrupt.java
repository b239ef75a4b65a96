package org.dyr.ranker.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Ctrl-C and SIGTERM as a request: the work under way is brought to a good end, then the process leaves with status 0. A
 * second signal is not waited for by the system's default action: the JVM is already shutting down.
 */
final class Interrupt implements AutoCloseable {
  private final CountDownLatch finished = new CountDownLatch(1);
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
    requested = true;
    try {
      finished.await();
    } catch (InterruptedException e) {
      Runtime.getRuntime().halt(1);
    }
    Runtime.getRuntime().halt(0);
  }

  /** The work has come to its end. */
  @Override public void close() {
    if (!requested) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
        return;
      } catch (IllegalStateException e) {
        // The signal has come this very moment: the hook is running and waits for the latch.
        requested = true;
      }
    }
    finished.countDown();
  }
}
