package org.dyr.benchmarks.peers;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.optim.Optimizer;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.train.EncodedGroup;
import org.dyr.ranker.train.StepSettings;
import org.dyr.ranker.train.TrainingStep;
import org.dyr.tensor.DType;

/** The product as its own trainer and ranker use it: packed under a token budget, {@code --kernels auto}. */
public final class Own {
  /** In training as much as a peer's batch of eight sequences of 512: neither side has more memory to compute in. */
  private static final int TOKEN_BUDGET = 4096;

  private Own() {}

  /** A process of this engine; the arguments are a {@link Job}. */
  public static void main(String[] args) {
    Engine.serve(args, Own::prepare);
  }

  private static Engine prepare(Job job) throws IOException {
    Backend backend = Devices.open("cpu", new DeviceOptions(job.threads(), "auto"));
    Bert bert = new Bert(BertConfig.base().sized(job.size().hidden(), job.size().layers(), job.size().heads())
        .withDropout(job.dropout()));
    DType compute = type(job.precision());
    Weights weights = job.training() ? new Weights(backend, DType.F32, bert.parameters())
        : Weights.forScoring(backend, compute, bert);
    for (Parameter p : bert.parameters()) fill(weights, p);
    Model model = new Model(bert, weights, null, backend, compute);
    List<EncodedPair> pairs = new ArrayList<>();
    for (Sequence s : Sequence.read(job.sequences())) pairs.add(new EncodedPair(s.ids(), s.firstSegment()));
    return job.training() ? trainer(model, pairs) : scorer(model, pairs);
  }

  private static DType type(Job.Precision precision) {
    return switch (precision) {
      case F32 -> DType.F32;
      case BF16 -> DType.BF16;
      case INT8 -> throw new IllegalArgumentException("there is no int8 here");
    };
  }

  private static void fill(Weights weights, Parameter p) {
    Formula formula = new Formula(p.name());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(weights.spec(p).bytes(), Float.BYTES);
      for (long i = 0; i < p.shape().size(); i++) weights.spec(p).type().set(host, i, formula.at(i));
      weights.upload(p, host);
    }
  }

  private static Engine trainer(Model model, List<EncodedPair> pairs) {
    List<EncodedGroup> groups = new ArrayList<>();
    for (int i = 0; i < pairs.size(); i += Job.GROUP) groups.add(EncodedGroup.of(pairs.subList(i, i + Job.GROUP)));
    TrainingStep step = new TrainingStep(model, new Optimizer.Lamb(), Job.CLIP, new StepSettings(1, TOKEN_BUDGET));
    return new Engine() {
      private long steps;

      @Override public double[] run() {
        TrainingStep.Result r = step.run(groups, steps++, Job.LEARNING_RATE);
        return new double[] {r.loss(), r.gradientNorm()};
      }
    };
  }

  private static Engine scorer(Model model, List<EncodedPair> pairs) {
    Scorer scorer = new Scorer(model, Set.of());
    return () -> {
      float[] logits = scorer.score(pairs);
      double[] numbers = new double[logits.length];
      for (int i = 0; i < logits.length; i++) numbers[i] = logits[i];
      return numbers;
    };
  }
}
