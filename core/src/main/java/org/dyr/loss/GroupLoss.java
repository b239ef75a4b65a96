package org.dyr.loss;

import org.dyr.graph.Graph;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.Value;

/**
 * The contrastive loss of DYR: softmax cross-entropy of each group, its positive standing first, summed over the groups
 * of this batch and multiplied by a weight: one over the groups of the whole step makes it the step's mean, however the
 * step is cut into batches.
 */
public final class GroupLoss {

  /** The output (1). */
  public static final String LOSS = "loss";

  private GroupLoss() {}

  /**
   * Records the loss and names it as an output.
   *
   * @param logits (S,1)
   * @param groups i32(G+1), the bounds of the groups
   * @param weight (1)
   * @param kept negatives of a group that count, the hardest; {@link GroupCrossEntropy#ALL} for all
   */
  public static Value record(Graph graph, Value logits, Value groups, Value weight, int kept) {
    try (Graph.Scope s = graph.scope("loss")) {
      Value sum = graph.emit1(new Sum(), graph.emit1(new GroupCrossEntropy(kept), logits, groups));
      Value loss = graph.emit1(new Scale(), sum, weight);
      graph.output(LOSS, loss);
      return loss;
    }
  }
}
