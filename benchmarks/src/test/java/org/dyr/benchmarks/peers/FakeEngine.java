package org.dyr.benchmarks.peers;

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
        if (job.variant().equals("slow")) Thread.sleep(60_000);
        return new double[] {++runs[0], job.size().hidden()};
      };
    });
  }
}
