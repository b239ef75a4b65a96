package org.dyr.peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dyr.benchmarks.peers.Formula;
import org.dyr.benchmarks.peers.Job;

/**
 * BERT with one logit a sequence in libtorch's eager mode, as Hugging Face has it; queries, keys and values come from
 * one product. Sizes: B sequences, S tokens, C the model's width, A heads, D a head's size.
 */
final class TorchBert {

  /** A matrix or vector that is trained; biases and layer norms are outside weight decay. */
  record Parameter(Tensor value, boolean decay) {}

  private final Job job;
  private final boolean sdpa;
  private final ScalarType type;
  private final Map<String, Tensor> weights = new HashMap<>();
  private final List<Parameter> parameters = new ArrayList<>();

  /**
   * With the formula's weights.
   *
   * @param sdpa whether attention is libtorch's fused op, or its parts one by one
   * @param type of the weights, and of what is computed unless autocast changes it
   */
  TorchBert(Job job, boolean sdpa, ScalarType type) {
    this.job = job;
    this.sdpa = sdpa;
    this.type = type;
    int width = job.size().hidden(), inner = job.size().intermediate();
    String embeddings = "bert.embeddings.";
    add(embeddings + "word_embeddings.weight", Job.VOCABULARY, width);
    add(embeddings + "position_embeddings.weight", Job.POSITIONS, width);
    add(embeddings + "token_type_embeddings.weight", 2, width);
    norm(embeddings + "LayerNorm", width);
    for (int i = 0; i < job.size().layers(); i++) {
      String layer = layer(i);
      attentionInput(layer + "attention.self.", width);
      linear(layer + "attention.output.dense", width, width);
      norm(layer + "attention.output.LayerNorm", width);
      linear(layer + "intermediate.dense", inner, width);
      linear(layer + "output.dense", width, inner);
      norm(layer + "output.LayerNorm", width);
    }
    linear("bert.pooler.dense", width, width);
    linear("classifier", 1, width);
  }

  private static String layer(int i) {
    return "bert.encoder.layer." + i + ".";
  }

  List<Parameter> parameters() {
    return parameters;
  }

  private void add(String name, int... shape) {
    try (PointerScope scope = new PointerScope()) {
      add(name, tensor(name, shape), shape.length > 1);
    }
  }

  private void add(String name, Tensor value, boolean decay) {
    Tensor stored = type == ScalarType.Float ? value : value.to(type);
    stored.set_requires_grad(job.training());
    stored.retainReference(); // beyond the caller's scope, which frees the copies on the way here
    weights.put(name, stored);
    parameters.add(new Parameter(stored, decay));
  }

  private static Tensor tensor(String name, int... shape) {
    int count = 1;
    long[] sizes = new long[shape.length];
    for (int i = 0; i < shape.length; i++) {
      count *= shape[i];
      sizes[i] = shape[i];
    }
    return Tensor.create(new Formula(name).first(count), sizes);
  }

  private void linear(String name, int out, int in) {
    add(name + ".weight", out, in);
    add(name + ".bias", out);
  }

  private void norm(String name, int width) {
    add(name + ".weight", width);
    add(name + ".bias", width);
  }

  /** The three matrices (C,C) below each other, and their biases. */
  private void attentionInput(String path, int width) {
    try (PointerScope scope = new PointerScope()) {
      Tensor[] matrices = new Tensor[3], biases = new Tensor[3];
      String[] names = {"query", "key", "value"};
      for (int i = 0; i < 3; i++) {
        matrices[i] = tensor(path + names[i] + ".weight", width, width);
        biases[i] = tensor(path + names[i] + ".bias", width);
      }
      add(path + "weight", torch.cat(new TensorVector(matrices), 0), true);
      add(path + "bias", torch.cat(new TensorVector(biases), 0), false);
    }
  }

  private Tensor linear(String name, Tensor x) {
    return torch.linear(x, weights.get(name + "weight"), new TensorOptional(weights.get(name + "bias")));
  }

  private Tensor norm(String name, Tensor x) {
    return torch.layer_norm(x, new long[] {job.size().hidden()}, new TensorOptional(weights.get(name + ".weight")),
        new TensorOptional(weights.get(name + ".bias")), Job.NORM_EPS, true);
  }

  private Tensor dropped(Tensor x) {
    return job.training() && job.dropout() > 0 ? torch.dropout(x, job.dropout(), true) : x;
  }

  /** Logits (B). What is made on the way is let go layer by layer, where the backward does not hold it. */
  Tensor logits(TorchBatch batch) {
    Tensor x = embedded(batch);
    for (int i = 0; i < job.size().layers(); i++) {
      Tensor next = encoded(layer(i), x, batch);
      x.close();
      x = next;
    }
    try (PointerScope scope = new PointerScope()) {
      Tensor pooled = torch.tanh(linear("bert.pooler.dense.", x.select(1, 0)));
      Tensor logits = linear("classifier.", dropped(pooled)).squeeze(-1);
      logits.retainReference();
      x.close();
      return logits;
    }
  }

  private Tensor embedded(TorchBatch batch) {
    try (PointerScope scope = new PointerScope()) {
      Tensor sum = torch.embedding(weights.get("bert.embeddings.word_embeddings.weight"), batch.ids())
          .add(torch.embedding(weights.get("bert.embeddings.token_type_embeddings.weight"), batch.types()))
          .add(torch.embedding(weights.get("bert.embeddings.position_embeddings.weight"), batch.positions()));
      Tensor x = dropped(norm("bert.embeddings.LayerNorm", sum));
      x.retainReference();
      return x;
    }
  }

  private Tensor encoded(String layer, Tensor x, TorchBatch batch) {
    try (PointerScope scope = new PointerScope()) {
      Tensor context = attended(linear(layer + "attention.self.", x), batch);
      Tensor a = norm(layer + "attention.output.LayerNorm",
          x.add(dropped(linear(layer + "attention.output.dense.", context))));
      Tensor inner = torch.gelu(linear(layer + "intermediate.dense.", a));
      Tensor y = norm(layer + "output.LayerNorm", a.add(dropped(linear(layer + "output.dense.", inner))));
      y.retainReference();
      return y;
    }
  }

  /** Queries, keys and values (B,S,3C) to what attention gives (B,S,C). */
  private Tensor attended(Tensor all, TorchBatch batch) {
    long heads = job.size().heads(), width = job.size().headSize();
    Tensor parted = all.view(batch.sequences(), batch.length(), 3, heads, width).permute(2, 0, 3, 1, 4);
    Tensor q = parted.select(0, 0), k = parted.select(0, 1), v = parted.select(0, 2);
    Tensor context = sdpa ? torch.scaled_dot_product_attention(q, k, v, batch.maskFor(q),
        job.training() ? job.dropout() : 0, false, new DoubleOptional(), false) : inParts(q, k, v, batch);
    return context.transpose(1, 2).reshape(batch.sequences(), batch.length(), heads * width);
  }

  private Tensor inParts(Tensor q, Tensor k, Tensor v, TorchBatch batch) {
    Tensor scores = torch.matmul(q.mul(new Scalar(1 / Math.sqrt(job.size().headSize()))), k.transpose(-1, -2));
    TensorOptional mask = batch.maskFor(scores);
    if (mask.has_value()) scores = scores.add(mask.get());
    return torch.matmul(dropped(torch.softmax(scores, -1)), v);
  }
}
