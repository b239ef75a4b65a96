package org.dyr.benchmarks.peers;

import java.io.OutputStream;

/** A process that answers as {@link ChildTest} wants it to: the job's variant says how. */
final class FakeEngine {
  private static final int CRASH = 134;

  private FakeEngine() {}

  public static void main(String[] args) {
    Engine.serve(args, job -> {
      System.out.println("a library's own line");
      if (job.variant().equals("broken")) throw new IllegalStateException("no such\n processor");
      int[] runs = new int[1];
      return () -> {
        if (job.variant().equals("crash")) Runtime.getRuntime().halt(CRASH);
        if (job.variant().equals("slow")) System.in.transferTo(OutputStream.nullOutputStream()); // until the asker ends
        return new double[] {++runs[0], job.size().hidden()};
      };
    });
  }
}
