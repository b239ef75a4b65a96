package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dyr.device.Backend;
import org.dyr.graph.Bucket;
import org.dyr.graph.Compiler;
import org.dyr.graph.Recompute;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.PackedBatch;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Activations computed once more give the same numbers as activations kept, in less memory. */
class RecomputeTest {
  private static final int LAYERS = 8;

  static List<String> sets() {
    return KernelSets.names();
  }

  private record Outcome(double loss, List<double[]> gradients, long workspace) {}

  @ParameterizedTest
  @MethodSource("sets")
  void lossAndGradientsAreTheSameToTheLastBit(String set) {
    for (Set<String> off : List.of(Set.<String>of(), Set.of("attention", "dropout-add-layernorm", "bias-activation"))) {
      try (Backend backend = KernelSets.open(set)) {
        Outcome kept = run(backend, off, Recompute.NONE), again = run(backend, off, Bert.RECOMPUTE_LAYERS);
        assertEquals(kept.loss, again.loss);
        for (int i = 0; i < kept.gradients.size(); i++) {
          assertArrayEquals(kept.gradients.get(i), again.gradients.get(i));
        }
        assertTrue(again.workspace < kept.workspace / 2,
            "%d bytes instead of %d for %d layers".formatted(again.workspace, kept.workspace, LAYERS));
      }
    }
  }

  private static Outcome run(Backend backend, Set<String> off, Recompute recompute) {
    BertConfig config = TinyData.model(0.2).sized(32, LAYERS, 2);
    Bert bert = new Bert(config);
    List<EncodedPair> pairs = TinyBatches.pairs(1, 16, 32);
    int tokens = pairs.stream().mapToInt(EncodedPair::length).sum();
    try (Weights weights = new Weights(backend, DType.F32, bert.parameters());
        PackedBatch batch = new PackedBatch(new Bucket(tokens, pairs.size(), 2))) {
      weights.initialize(4, 0.2);
      for (int i = 0; i < pairs.size(); i++) {
        batch.add(pairs.get(i).ids(), pairs.get(i).firstSegment(), i);
        if (i % 8 == 7) batch.endGroup();
      }
      batch.random(7, 3);
      Compiler compiler = new Compiler(backend, off, recompute);
      try (BertProgram program = new BertProgram(bert, weights, batch.bucket(), true, compiler)) {
        program.run(batch);
        List<double[]> gradients = new ArrayList<>();
        for (Parameter p : weights.parameters()) gradients.add(program.numbers(program.gradients(), p));
        return new Outcome(program.loss(), gradients, program.workspaceBytes());
      }
    }
  }
}
