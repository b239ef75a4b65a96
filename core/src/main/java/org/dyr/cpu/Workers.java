package org.dyr.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Persistent threads that share one task at a time. The caller of {@link #run} is worker 0 and takes part. The
 * partition of the work is static (each worker knows its number), so a result never depends on timing. Workers spin for
 * a while before they park, so that the next kernel of a step starts within a microsecond. Running allocates nothing.
 * One caller at a time: callers queue on the monitor.
 */
public final class Workers implements AutoCloseable {

  /** A worker's share of a task. */
  @FunctionalInterface
  public interface Task {
    void run(int worker);
  }

  private static final int SPINS = 1 << 14;

  private final int count;
  private final Thread[] threads;
  private final AtomicInteger round = new AtomicInteger();
  private final AtomicInteger pending = new AtomicInteger();
  private volatile Task task;
  private volatile Throwable failure;
  private volatile boolean closed;

  /** Starts {@code count - 1} daemon threads. */
  public Workers(int count) {
    if (count < 1) throw new IllegalArgumentException("workers must be at least 1, not " + count);
    this.count = count;
    threads = new Thread[count - 1];
    for (int i = 0; i < threads.length; i++) {
      int worker = i + 1;
      threads[i] = Thread.ofPlatform().daemon().name("dyr-worker-" + worker).start(() -> serve(worker));
    }
  }

  /** The number of workers, the caller's thread included. */
  public int count() {
    return count;
  }

  /** Ids of the threads that this pool started; the caller's is not among them. */
  public long[] threadIds() {
    long[] ids = new long[threads.length];
    for (int i = 0; i < ids.length; i++) ids[i] = threads[i].threadId();
    return ids;
  }

  /** Runs the task once on every worker and returns when all have finished; the first failure is thrown on. */
  public synchronized void run(Task task) {
    if (closed) throw new IllegalStateException("Workers: closed");
    if (count == 1) {
      task.run(0);
      return;
    }
    failure = null;
    this.task = task;
    pending.set(count - 1);
    round.incrementAndGet();
    for (Thread t : threads) LockSupport.unpark(t);
    try {
      task.run(0);
    } finally {
      for (int spin = 0; pending.get() != 0; spin++) {
        if (spin < SPINS) Thread.onSpinWait();
        else Thread.yield();
      }
      this.task = null;
    }
    Throwable f = failure;
    if (f != null) {
      failure = null;
      throw new IllegalStateException("a worker failed: " + f, f);
    }
  }

  /**
   * The first of the items {@code 0..items-1} that {@code worker} takes; its last is before {@code begin(worker + 1)}.
   */
  public static int begin(int items, int worker, int workers) {
    return (int) ((long) items * worker / workers);
  }

  /** As {@link #begin(int, int, int)} for long counts. */
  public static long begin(long items, int worker, int workers) {
    return items * worker / workers;
  }

  private void serve(int worker) {
    int seen = 0;
    while (true) {
      for (int spin = 0; round.get() == seen && !closed; spin++) {
        if (spin < SPINS) Thread.onSpinWait();
        else LockSupport.park(this);
      }
      if (closed) return;
      seen = round.get();
      try {
        task.run(worker);
      } catch (Throwable t) {
        failure = t;
      } finally {
        pending.decrementAndGet();
      }
    }
  }

  /** Ends the threads. Nothing may be running. */
  @Override public synchronized void close() {
    closed = true;
    boolean interrupted = false;
    for (Thread t : threads) {
      LockSupport.unpark(t);
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
