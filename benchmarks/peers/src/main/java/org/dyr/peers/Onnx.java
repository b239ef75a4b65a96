package org.dyr.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dyr.benchmarks.peers.Engine;
import org.dyr.benchmarks.peers.Job;
import org.dyr.benchmarks.peers.Sequence;

/** ONNX Runtime: inference, in fp32 or with int8 products. */
public final class Onnx {

  /** A batch and what it is given to the session as. */
  private record Batch(int[] places, Map<String, OnnxTensor> inputs) {}

  private Onnx() {}

  /** A process of this engine; the arguments are a {@link Job}, its variant the name of an {@link OnnxBert.Form}. */
  public static void main(String[] args) {
    Engine.serve(args, Onnx::prepare);
  }

  private static Engine prepare(Job job) throws IOException, OrtException {
    if (job.training()) throw new IllegalArgumentException("ONNX Runtime does not train here");
    List<Sequence> sequences = Sequence.read(job.sequences());
    List<Padded> padded = Padded.of(sequences, Sequence.longestFirst(sequences), job.batch());
    boolean ragged = padded.stream().anyMatch(p -> Arrays.stream(p.lengths()).anyMatch(l -> l < p.longest()));
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    OrtSession session = session(environment, job, ragged);
    List<Batch> batches = new ArrayList<>();
    for (Padded p : padded) batches.add(batch(environment, p, ragged));
    return () -> {
      double[] logits = new double[sequences.size()];
      for (Batch b : batches) run(session, b, logits);
      return logits;
    };
  }

  private static OrtSession session(OrtEnvironment environment, Job job, boolean ragged)
      throws IOException, OrtException {
    Path file = Files.createTempFile("dyr-peers", ".onnx");
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      OnnxBert.write(job, OnnxBert.Form.valueOf(job.variant()), ragged, file);
      options.setIntraOpNumThreads(job.threads());
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      return environment.createSession(file.toString(), options);
    } finally {
      Files.delete(file);
    }
  }

  private static Batch batch(OrtEnvironment environment, Padded p, boolean ragged) throws OrtException {
    long[] shape = {p.places().length, p.longest()};
    Map<String, OnnxTensor> inputs = new HashMap<>();
    inputs.put("input_ids", OnnxTensor.createTensor(environment, LongBuffer.wrap(p.ids()), shape));
    inputs.put("token_type_ids", OnnxTensor.createTensor(environment, LongBuffer.wrap(p.types()), shape));
    if (ragged) {
      inputs.put("lengths", OnnxTensor.createTensor(environment, IntBuffer.wrap(p.lengths()), new long[] {shape[0]}));
    }
    return new Batch(p.places(), inputs);
  }

  private static void run(OrtSession session, Batch batch, double[] logits) throws OrtException {
    try (OrtSession.Result result = session.run(batch.inputs())) {
      float[][] y = (float[][]) result.get(0).getValue();
      for (int b = 0; b < y.length; b++) logits[batch.places()[b]] = y[b][0];
    }
  }
}
