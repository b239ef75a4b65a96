package org.dyr.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.TreeMap;
import org.dyr.cpu.CpuProvider;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.graph.Bucket;
import org.dyr.graph.Node;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.Test;

class BertTest {
  private static final int TOKENS = 24;
  private static final int SEQUENCES = 5;

  @Test void theLastLayerComputesNoRowThatTheHeadDoesNotRead() {
    Bert bert = new Bert(BertConfig.base().sized(8, 3, 2));
    assertEquals(Map.of("encoder.0", Map.of(TOKENS, 6), "encoder.1", Map.of(TOKENS, 6),
        "encoder.2", Map.of(TOKENS, 2, SEQUENCES, 4)), products(bert, 3));
  }

  @Test void likewiseWhereAModelIsLeftEarly() {
    Bert bert = new Bert(BertConfig.base().sized(8, 3, 2));
    assertEquals(Map.of("encoder.0", Map.of(TOKENS, 2, SEQUENCES, 4)), products(bert, 1));
  }

  @Test void withRelativePositionsAllTokensAskBeforeRowsArePicked() {
    Bert bert = new Bert(BertConfig.base().sized(8, 2, 2).withRelativePositions(true));
    assertEquals(Map.of("encoder.0", Map.of(TOKENS, 6), "encoder.1", Map.of(TOKENS, 3, SEQUENCES, 3)),
        products(bert, 2));
  }

  /** Of each encoder layer: how many matrix products have how many rows. */
  private static Map<String, Map<Integer, Integer>> products(Bert bert, int layers) {
    try (Backend backend = new CpuProvider().open(new DeviceOptions(1, "reference"));
        Weights weights = new Weights(backend, DType.F32, bert.parameters())) {
      Pass pass = new Pass(weights, new Bucket(TOKENS, SEQUENCES, 1), false);
      bert.apply(pass, layers);
      Map<String, Map<Integer, Integer>> found = new TreeMap<>();
      for (Node n : pass.graph().nodes()) {
        if (!(n.op() instanceof MatMul) || !n.path().startsWith("encoder")) continue;
        found.computeIfAbsent(n.path().replaceAll("(\\.\\d+)\\..*", "$1"), l -> new TreeMap<>())
            .merge(n.outSpecs()[0].shape().dim(0), 1, Integer::sum);
      }
      return found;
    }
  }
}
