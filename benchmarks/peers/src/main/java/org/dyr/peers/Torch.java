package org.dyr.peers;

import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dyr.benchmarks.peers.Engine;
import org.dyr.benchmarks.peers.Job;
import org.dyr.benchmarks.peers.Sequence;

/**
 * libtorch through bytedeco's binding, in eager mode. bf16 is autocast in training, and bf16 weights in inference. A
 * batch of training is a group, its gradient added to the others'.
 */
public final class Torch {
  private Torch() {}

  /** A process of this engine; the arguments are a {@link Job}, its variant {@code sdpa} or {@code plain}. */
  public static void main(String[] args) {
    Engine.serve(args, Torch::prepare);
  }

  private static Engine prepare(Job job) throws IOException {
    torch.set_num_threads(job.threads());
    torch.manual_seed(1);
    boolean bf16 = job.precision() == Job.Precision.BF16;
    TorchBert bert = new TorchBert(job, job.variant().equals("sdpa"),
        bf16 && !job.training() ? ScalarType.BFloat16 : ScalarType.Float);
    List<Sequence> sequences = Sequence.read(job.sequences());
    if (!job.training()) {
      new InferenceMode(true); // for the rest of this thread's life
      return scorer(bert, TorchBatch.of(sequences, Sequence.longestFirst(sequences), job.batch()), sequences.size());
    }
    if (bf16) {
      torch.set_autocast_dtype(DeviceType.CPU, ScalarType.BFloat16);
      // Where there is one group, each weight is met once a step; a kept copy would outlive the update.
      torch.set_autocast_cache_enabled(false);
    }
    int[] order = IntStream.range(0, sequences.size()).toArray();
    return trainer(bert, TorchBatch.of(sequences, order, Job.GROUP), bf16);
  }

  private static Engine trainer(TorchBert bert, List<TorchBatch> groups, boolean autocast) {
    TorchLamb lamb = new TorchLamb(bert.parameters());
    Tensor positive = torch.zeros(1).to(ScalarType.Long); // the place of the positive in its group
    return () -> {
      double loss = 0;
      for (TorchBatch group : groups) loss += backward(bert, group, positive, groups.size(), autocast);
      return new double[] {loss, lamb.step()};
    };
  }

  /** A group's share of the mean loss, differentiated. */
  private static double backward(TorchBert bert, TorchBatch group, Tensor positive, int groups, boolean autocast) {
    try (PointerScope scope = new PointerScope()) {
      torch.set_autocast_enabled(DeviceType.CPU, autocast);
      Tensor logits = bert.logits(group);
      torch.set_autocast_enabled(DeviceType.CPU, false);
      Tensor loss = torch.cross_entropy(logits.to(ScalarType.Float).view(1, Job.GROUP), positive)
          .div(new Scalar((double) groups));
      loss.backward();
      return loss.item_float();
    }
  }

  private static Engine scorer(TorchBert bert, List<TorchBatch> batches, int sequences) {
    return () -> {
      double[] all = new double[sequences];
      for (TorchBatch batch : batches) {
        try (PointerScope scope = new PointerScope()) {
          Tensor logits = bert.logits(batch).to(ScalarType.Float);
          for (int b = 0; b < batch.places().length; b++) all[batch.places()[b]] = logits.select(0, b).item_float();
        }
      }
      return all;
    };
  }
}
