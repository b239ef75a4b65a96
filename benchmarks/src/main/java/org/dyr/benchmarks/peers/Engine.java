package org.dyr.benchmarks.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.StringJoiner;

/** What computes a {@link Job} in a process of its own. */
public interface Engine {

  /** What stands before each line that a process means its parent to read; libraries may print others. */
  String MARK = "dyr-peer ";

  /** Makes an engine ready for a job: weights, inputs, programs. */
  interface Factory {
    Engine prepare(Job job) throws Exception;
  }

  /**
   * Does the job once.
   *
   * @return in training the loss and the gradient's norm before clipping; in inference every sequence's logit, in the
   *     order of the file
   */
  double[] run() throws Exception;

  /**
   * The life of such a process: prepares the job that the arguments name, says {@code ready}, then answers each line
   * {@code run} by the milliseconds of a run and its numbers, until the input ends. The process ends at once, without
   * the libraries' destructors, some of which crash.
   */
  static void serve(String[] arguments, Factory factory) {
    int status = 0;
    try {
      Engine engine = factory.prepare(Job.of(arguments));
      say("ready");
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line; (line = in.readLine()) != null;) {
        if (!line.equals("run")) throw new IOException("asked for '" + line + "'; only 'run' is known");
        answer(engine);
      }
    } catch (Throwable e) {
      e.printStackTrace();
      say("failed " + String.valueOf(e).replaceAll("\\s+", " "));
      status = 1;
    }
    Runtime.getRuntime().halt(status);
  }

  private static void answer(Engine engine) throws Exception {
    long start = System.nanoTime();
    double[] numbers = engine.run();
    double millis = (System.nanoTime() - start) / 1e6;
    StringJoiner line = new StringJoiner(" ");
    line.add(String.valueOf(millis));
    for (double x : numbers) line.add(String.valueOf(x));
    say(line.toString());
  }

  private static void say(String line) {
    System.out.println(MARK + line);
    System.out.flush();
  }
}
