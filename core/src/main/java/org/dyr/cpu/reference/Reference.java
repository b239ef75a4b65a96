package org.dyr.cpu.reference;

import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.AllFinite;
import org.dyr.op.AllGather;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.ClipFactor;
import org.dyr.op.Dropout;
import org.dyr.op.FusedOp;
import org.dyr.op.Gather;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.IfFinite;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;

/**
 * Every primitive op as a plain loop, in any type of storage. Fused ops are left to their decompositions, gathering
 * from more than one rank to the set that knows the ranks.
 */
public final class Reference implements KernelSet {

  @Override public String name() {
    return "reference";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    return switch (op) {
      case AllGather g -> g.ranks() == 1;
      case AllGather.Grad g -> g.ranks() == 1;
      default -> !(op instanceof FusedOp);
    };
  }

  @Override public Kernel prepare(Op op, Operands o) {
    Tensor[] in = tensors(o.in(), o.inputs());
    Tensor[] out = tensors(o.out(), o.outputs());
    return switch (op) {
      case Cast c -> () -> Elementary.cast(in[0], out[0]);
      case MatMul m -> () -> Elementary.matMul(m, in[0], in[1], out[0]);
      case Panels _ -> () -> Elementary.panels(in[0], out[0]);
      case AddBias b -> () -> Elementary.addBias(in[0], in[1], out[0]);
      case Add a -> () -> Elementary.add(in[0], in[1], out[0]);
      case Scale s -> () -> Elementary.scale(in[0], in[1], out[0]);
      case Activation a -> () -> Activations.forward(a.kind(), in[0], out[0]);
      case Activation.Grad a -> () -> Activations.backward(a.kind(), in[0], in[1], out[0]);
      case Gather g -> () -> Elementary.gather(in[0], in[1], out[0]);
      case Gather.Grad g -> Elementary.scatter(in[0], in[1], out[0]);
      case LayerNorm n -> () -> Norms.forward(n.eps(), in, out);
      case LayerNorm.Grad n -> Norms.backward(in, out);
      case Dropout d -> () -> Dropouts.rows(d, in, out[0]);
      case AttentionDropout d -> Dropouts.attention(d, in, out[0]);
      case AttentionScores a -> Attentions.scores(a.queries(), a.heads(), in[0], in[1], in[2], out[0]);
      case AttentionScores.Grad a -> Attentions.scoresGrad(a.queries(), a.heads(), in, out[0], out[1]);
      case AttentionSoftmax a -> Attentions.softmax(a.queries(), in[0], in[1], out[0], out[1]);
      case AttentionSoftmax.Grad a -> Attentions.softmaxGrad(a.queries(), in[0], in[1], in[2], out[0]);
      case AttentionContext a -> Attentions.context(a.queries(), a.heads(), in[0], in[1], in[2], out[0]);
      case AttentionContext.Grad a -> Attentions.contextGrad(a.queries(), a.heads(), in, out[0], out[1]);
      case RelativeScores a -> RelativeAttentions.scores(a.heads(), in, out[0]);
      case RelativeScores.Grad a -> RelativeAttentions.scoresGrad(a.heads(), in, out);
      case RelativeContext a -> RelativeAttentions.context(a.heads(), in, out[0]);
      case RelativeContext.Grad a -> RelativeAttentions.contextGrad(a.heads(), in, out);
      case GroupCrossEntropy c -> () -> Losses.forward(in[0], in[1], c.kept(), out[0]);
      case GroupCrossEntropy.Grad c -> () -> Losses.backward(in[0], in[1], in[2], c.kept(), out[0]);
      case Sum s -> () -> Elementary.sum(in[0], out[0]);
      case Broadcast b -> () -> out[0].fill(in[0].get(0));
      case SumRows s -> () -> Elementary.sumRows(in[0], out[0]);
      case SumSquares s -> () -> Elementary.sumSquares(in[0], out[0]);
      case AllFinite f -> () -> Elementary.allFinite(in[0], out[0]);
      case IfFinite f -> () -> Elementary.ifFinite(in[0], in[1], out[0]);
      case ClipFactor c -> () -> Updates.clip(c, in[0], in[1], out[0], out[1]);
      case Update.Lamb u -> () -> Updates.lamb(u, in);
      case Update.AdamWeightDecay u -> () -> Updates.adamWeightDecay(u, in);
      case Update.Momentum u -> () -> Updates.momentum(u, in);
      case AllGather g -> () -> Elementary.cast(in[0], out[0]);
      case AllGather.Grad g -> () -> Elementary.cast(in[0], out[0]);
      case FusedOp f -> throw new UnsupportedOperationException("reference runs the decomposition of " + f.name());
    };
  }

  private static Tensor[] tensors(Spec[] specs, Span[] spans) {
    Tensor[] t = new Tensor[specs.length];
    for (int i = 0; i < t.length; i++) t[i] = new Tensor(specs[i], spans[i]);
    return t;
  }
}
