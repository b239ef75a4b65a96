package org.dyr.collective;

import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Ranks as threads of one process: the caller of {@link #run} is rank 0, the others are persistent threads. The first
 * failure of a rank breaks the meeting, and is what the caller gets. One caller at a time: callers queue on the
 * monitor.
 */
public final class ThreadRanks implements AutoCloseable {
  private final Circle circle;
  private final Collective[] ranks;
  private final Thread[] threads;
  private Consumer<Collective> task;
  private long round;
  private int pending;
  private boolean closed;

  /** Starts {@code count - 1} daemon threads. */
  public ThreadRanks(int count) {
    if (count < 1) throw new IllegalArgumentException("ranks must be at least 1, not " + count);
    circle = new Circle(count);
    Meeting meeting = new Meeting(circle, IntStream.range(0, count).toArray());
    ranks = new Collective[count];
    for (int r = 0; r < count; r++) ranks[r] = count == 1 ? new Solo() : new ThreadRank(meeting, r);
    threads = new Thread[count - 1];
    for (int i = 0; i < threads.length; i++) {
      int rank = i + 1;
      threads[i] = Thread.ofPlatform().daemon().name("dyr-rank-" + rank).start(() -> serve(rank));
    }
  }

  /** The number of ranks. */
  public int count() {
    return ranks.length;
  }

  /**
   * Runs the task once in every rank, each with its place in the meeting of all, and returns when all have finished.
   * What a rank throws first is thrown on as it is; afterwards the ranks can run again.
   */
  public synchronized void run(Consumer<Collective> task) {
    synchronized (circle) {
      if (closed) throw new IllegalStateException("ThreadRanks: closed");
      this.task = task;
      pending = threads.length;
      round++;
      circle.begin();
      circle.notifyAll();
    }
    perform(0, task);
    awaitOthers();
    Throwable failure = circle.takeFailure();
    switch (failure) {
      case null -> {}
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException("a rank failed: " + failure, failure);
    }
  }

  private void perform(int rank, Consumer<Collective> task) {
    try {
      task.accept(ranks[rank]);
    } catch (Throwable e) {
      circle.fail(e);
    }
    circle.leave(rank);
  }

  private void awaitOthers() {
    boolean interrupted = false;
    synchronized (circle) {
      while (pending > 0) interrupted |= circle.interruptedWait();
      task = null;
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  private void serve(int rank) {
    long seen = 0;
    while (true) {
      Consumer<Collective> mine;
      synchronized (circle) {
        while (round == seen && !closed) circle.interruptedWait();
        if (closed) return;
        seen = round;
        mine = task;
      }
      perform(rank, mine);
      synchronized (circle) {
        pending--;
        circle.notifyAll();
      }
    }
  }

  /** Ends the threads. Nothing may be running. Closing twice is harmless. */
  @Override public synchronized void close() {
    synchronized (circle) {
      closed = true;
      circle.notifyAll();
    }
    boolean interrupted = false;
    for (Thread t : threads) {
      while (t.isAlive()) {
        try {
          t.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) Thread.currentThread().interrupt();
  }
}
