package org.dyr.peers;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dyr.benchmarks.peers.Job;

/**
 * Clipping and Lamb (You et al. 2019) by operations in place, as Lambs for PyTorch are written: m = b1 m + (1-b1) g; v
 * = b2 v + (1-b2) g^2; u = m' / (sqrt(v') + eps) + wd p with bias corrections; p -= lr min(10, |p| / |u|) u. Where
 * |u| is taken, MindSpore's form, which the product has, adds eps under the root instead: the arithmetic is the same,
 * the weights after it are not.
 */
final class TorchLamb {
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPS = 1e-6;
  private static final double DECAY = 0.01;
  private static final double MOST = 10;

  private final List<TorchBert.Parameter> parameters;
  private final TensorVector values;
  private final List<Tensor> means = new ArrayList<>();
  private final List<Tensor> squares = new ArrayList<>();
  private long steps;

  TorchLamb(List<TorchBert.Parameter> parameters) {
    this.parameters = parameters;
    values = new TensorVector(parameters.stream().map(TorchBert.Parameter::value).toArray(Tensor[]::new));
    for (TorchBert.Parameter p : parameters) {
      means.add(torch.zeros_like(p.value().detach()));
      squares.add(torch.zeros_like(p.value().detach()));
    }
  }

  /** Clips, updates, and lets the gradients go. Returns the norm before clipping. */
  double step() {
    steps++;
    try (PointerScope scope = new PointerScope(); AutoGradMode off = new AutoGradMode(false)) {
      double norm = torch.clip_grad_norm_(values, Job.CLIP);
      for (int i = 0; i < parameters.size(); i++) update(parameters.get(i), means.get(i), squares.get(i));
      return norm;
    }
  }

  private void update(TorchBert.Parameter parameter, Tensor mean, Tensor square) {
    try (PointerScope scope = new PointerScope()) {
      Tensor p = parameter.value(), g = p.grad();
      mean.mul_(new Scalar(BETA1)).add_(g, new Scalar(1 - BETA1));
      square.mul_(new Scalar(BETA2)).addcmul_(g, g, new Scalar(1 - BETA2));
      double correct1 = 1 - Math.pow(BETA1, steps), correct2 = 1 - Math.pow(BETA2, steps);
      Tensor root = square.sqrt().div_(new Scalar(Math.sqrt(correct2))).add_(new Scalar(EPS));
      Tensor u = mean.div(root).div_(new Scalar(correct1));
      if (parameter.decay()) u.add_(p, new Scalar(DECAY));
      double ratio = p.norm().item_double() / u.norm().item_double();
      p.add_(u, new Scalar(-Job.LEARNING_RATE * (ratio > 0 ? Math.min(MOST, ratio) : 1)));
      p.mutable_grad().reset();
    }
  }
}
