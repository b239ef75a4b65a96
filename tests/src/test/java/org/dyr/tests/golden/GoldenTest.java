package org.dyr.tests.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.dyr.device.Backend;
import org.dyr.graph.Fusion;
import org.dyr.graph.Fusions;
import org.dyr.nn.Bert;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.op.Activation;
import org.dyr.optim.Optimizer;
import org.dyr.optim.Schedule;
import org.dyr.optim.UpdateTerms;
import org.dyr.optim.Updater;
import org.dyr.tensor.DType;
import org.dyr.tests.endtoend.BertProgram;
import org.dyr.tests.endtoend.KernelSets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GoldenTest {
  private static final int SEQUENCES = 6;
  private static final int STEPS = 5;
  private static final Schedule SCHEDULE = new Schedule(2e-3, 1e-4, 1, 2, STEPS);
  private static final double CLIP = 1;

  /** A way to compute: a kernel set, a type, fusions left out; and how close it must come. */
  record Way(String kernels, DType type, Set<String> fusionsOff) {
    double tolerance() {
      return type == DType.F64 ? 1e-11 : 1e-5;
    }

    double afterSteps(String parameter) {
      if (type == DType.F64) return 1e-9;
      // Their gradients are zero by construction; the optimizers divide the noise by itself.
      return parameter.endsWith("attention.self.key.bias") || parameter.equals("classifier.bias") ? 1e-3 : 1e-5;
    }
  }

  /** Reference in double; every set in float with all fusions, without each, without any. */
  static List<Way> ways() {
    List<Way> ways = new ArrayList<>(List.of(new Way("reference", DType.F64, Set.of())));
    Set<String> all = new HashSet<>();
    for (Fusion f : Fusions.table()) all.add(f.name());
    for (String set : KernelSets.names()) {
      ways.add(new Way(set, DType.F32, Set.of()));
      for (String name : all) ways.add(new Way(set, DType.F32, Set.of(name)));
      ways.add(new Way(set, DType.F32, Set.copyOf(all)));
    }
    return ways;
  }

  @ParameterizedTest
  @MethodSource("ways")
  void forwardAndBackward(Way way) {
    for (Activation.Kind kind : List.of(Activation.Kind.GELU, Activation.Kind.GELU_TANH, Activation.Kind.RELU)) {
      Bert bert = new Bert(Golden.config(kind));
      String file = "forward-backward-%s.safetensors".formatted(bert.config().activationName());
      Map<String, double[]> golden = Golden.numbers(file);
      try (Backend backend = KernelSets.open(way.kernels());
          Weights weights = new Weights(backend, way.type(), bert.parameters());
          PackedBatch batch = Golden.batch();
          BertProgram program = new BertProgram(backend, bert, weights, batch.bucket(), true, way.fusionsOff())) {
        Golden.load(weights);
        program.run(batch);
        assertArrayEquals(golden.get("logits"), program.logits(SEQUENCES), way.tolerance(), file + ": logits");
        assertEquals(golden.get("loss")[0], program.loss(), way.tolerance(), file + ": loss");
        for (Parameter p : bert.parameters()) {
          assertArrayEquals(golden.get("grad." + p.name()), program.numbers(program.gradients(), p), way.tolerance(),
              file + ": gradient of " + p.name());
        }
      }
    }
  }

  static Stream<Way> unfusedInOneWay() {
    return ways().stream().filter(w -> w.fusionsOff().size() != 1);
  }

  @ParameterizedTest
  @MethodSource("unfusedInOneWay")
  void fiveSteps(Way way) {
    Map<String, Optimizer> optimizers = Map.of("lamb", new Optimizer.Lamb(), "adam_weight_decay",
        new Optimizer.AdamWeightDecay(), "momentum", new Optimizer.Momentum());
    optimizers.forEach((name, optimizer) -> fiveSteps(way, name, optimizer));
  }

  private static void fiveSteps(Way way, String name, Optimizer optimizer) {
    Map<String, double[]> golden = Golden.numbers("five-steps-%s.safetensors".formatted(name));
    Bert bert = new Bert(Golden.config(Activation.Kind.GELU));
    try (Backend backend = KernelSets.open(way.kernels());
        Weights weights = new Weights(backend, way.type(), bert.parameters());
        PackedBatch batch = Golden.batch();
        BertProgram program = new BertProgram(backend, bert, weights, batch.bucket(), true, way.fusionsOff());
        Updater updater = new Updater(backend, weights, program.gradients(), optimizer, CLIP)) {
      Golden.load(weights);
      for (int step = 0; step < STEPS; step++) {
        assertEquals(golden.get("rates")[step], SCHEDULE.at(step), 1e-15, name + ": rate of step " + step);
        program.run(batch);
        updater.step(new UpdateTerms(SCHEDULE.at(step), 1, step), null);
        assertEquals(golden.get("losses")[step], program.loss(), way.tolerance(), name + ": loss of step " + step);
        assertEquals(golden.get("gradient_norms")[step], updater.gradientNorm(),
            way.tolerance() * golden.get("gradient_norms")[step], name + ": gradient norm of step " + step);
      }
      for (Parameter p : bert.parameters()) {
        assertArrayEquals(golden.get(p.name()), program.numbers(weights.slab(), p), way.afterSteps(p.name()),
            name + ": " + p.name() + " after five steps");
      }
    }
  }
}
