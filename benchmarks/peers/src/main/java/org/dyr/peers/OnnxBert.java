package org.dyr.peers;

import static org.dyr.peers.OnnxGraph.MICROSOFT;
import static org.dyr.peers.OnnxGraph.attribute;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dyr.benchmarks.peers.Formula;
import org.dyr.benchmarks.peers.Job;

/**
 * BERT with one logit as an ONNX model of the formula's weights. B sequences, S tokens, C the model's width.
 *
 * <p>Inputs: input_ids, token_type_ids i64 (B,S); where padded, lengths i32 (B). Output: logits (B,1).
 */
final class OnnxBert {

  /** What the graph is made of. */
  enum Form {
    /** What an exporter leaves; ONNX Runtime's own rewriting does the rest. */
    STANDARD,
    /** ONNX Runtime's fused nodes, as its optimizer for transformers makes them: one product for Q, K and V. */
    ATTENTION,
    /** The same with three products, for which the CPU has a kernel of the flash kind. */
    MULTI_HEAD,
    /** The last with int8 matrices: activations are quantized when they are met (DynamicQuantizeMatMul). */
    INT8
  }

  private static final float MOST_WEIGHT = (float) (0.02 * Math.sqrt(3));
  private static final int LEVELS = 127;

  private final OnnxGraph graph = new OnnxGraph("bert");
  private final Form form;
  private final boolean padded;
  private final int width;
  private final int heads;
  private final int inner;

  private OnnxBert(Job job, Form form, boolean padded) {
    this.form = form;
    this.padded = padded;
    width = job.size().hidden();
    heads = job.size().heads();
    inner = job.size().intermediate();
  }

  /** Writes the model; one that is padded reads how long the sequences are. */
  static void write(Job job, Form form, boolean padded, Path file) throws IOException {
    OnnxBert bert = new OnnxBert(job, form, padded);
    bert.record(job.size().layers(), job.size().headSize());
    bert.graph.write(file);
  }

  private void record(int layers, int headSize) {
    graph.input("input_ids", OnnxConstant.INT64, "B", "S");
    graph.input("token_type_ids", OnnxConstant.INT64, "B", "S");
    if (padded) graph.input("lengths", OnnxConstant.INT32, "B");
    shared(headSize);
    String x = embeddings();
    String mask = padded && form == Form.STANDARD ? mask() : null;
    for (int i = 0; i < layers; i++) x = layer("bert.encoder.layer." + i + ".", x, mask);
    String first = graph.node("Gather", List.of(x, "first"), attribute("axis", 1));
    String pooled = graph.node("Tanh", List.of(linear("bert.pooler.dense", first, width, width, true)));
    String product = graph.node("MatMul", List.of(pooled, matrix("classifier", width, 1)));
    String logits = graph.node("Add", List.of(product, vector("classifier.bias", 1)));
    graph.output("logits", logits, OnnxConstant.FLOAT, "B", 1);
  }

  /** Constants that several nodes read. */
  private void shared(int headSize) {
    graph.constant(new OnnxConstant("first", OnnxConstant.INT64, Long.BYTES, new long[0], (i, to) -> to.putLong(0)));
    graph.constant(OnnxConstant.longs("zero", 0));
    if (form != Form.STANDARD) return;
    scalar("one", 1);
    scalar("half", 0.5f);
    scalar("root of two", (float) Math.sqrt(2));
    scalar("root of head", (float) Math.sqrt(headSize));
    graph.constant(OnnxConstant.longs("by heads", 0, 0, heads, headSize));
    graph.constant(OnnxConstant.longs("joined", 0, 0, width));
  }

  private String scalar(String name, float value) {
    return graph.constant(OnnxConstant.floats(name, i -> value));
  }

  private String vector(String name, long size) {
    return graph.constant(OnnxConstant.floats(name, new Formula(name)::at, size));
  }

  private String table(String name, long rows) {
    return graph.constant(OnnxConstant.floats(name, new Formula(name)::at, rows, width));
  }

  /** The matrix (in,out) of a linear layer, whose formula has it (out,in). */
  private String matrix(String layer, int in, int out) {
    Formula f = new Formula(layer + ".weight");
    return graph.constant(OnnxConstant.floats(layer + ".weight", i -> f.at(i % out * in + i / out), in, out));
  }

  private String linear(String layer, String x, int in, int out, boolean bias) {
    if (form == Form.INT8) return quantized(layer, x, in, out, bias);
    String y = graph.node("MatMul", List.of(x, matrix(layer, in, out)));
    return bias ? graph.node("Add", List.of(y, vector(layer + ".bias", out))) : y;
  }

  private String quantized(String layer, String x, int in, int out, boolean bias) {
    Formula f = new Formula(layer + ".weight");
    float scale = MOST_WEIGHT / LEVELS;
    String matrix = graph.constant(OnnxConstant.bytes(layer + ".int8",
        i -> Math.round(f.at(i % out * in + i / out) / scale), in, out));
    String zero = graph.constant(OnnxConstant.bytes(layer + ".zero", i -> 0));
    List<String> inputs = new ArrayList<>(List.of(x, matrix, scalar(layer + ".scale", scale), zero));
    if (bias) inputs.add(vector(layer + ".bias", out));
    return graph.node(MICROSOFT, "DynamicQuantizeMatMul", inputs);
  }

  private String embeddings() {
    String path = "bert.embeddings.";
    String words = graph.node("Gather", List.of(table(path + "word_embeddings.weight", Job.VOCABULARY), "input_ids"));
    String types = graph.node("Gather", List.of(table(path + "token_type_embeddings.weight", 2), "token_type_ids"));
    String length = graph.node("Shape", List.of("input_ids"), attribute("start", 1), attribute("end", 2));
    String positions = graph.node("Slice",
        List.of(table(path + "position_embeddings.weight", Job.POSITIONS), "zero", length, "zero"));
    String sum = graph.node("Add", List.of(graph.node("Add", List.of(words, types)), positions));
    return norm(path + "LayerNorm", sum);
  }

  private String norm(String name, String x) {
    return graph.node("LayerNormalization", List.of(x, vector(name + ".weight", width), vector(name + ".bias", width)),
        attribute("axis", -1), attribute("epsilon", (float) Job.NORM_EPS));
  }

  /** 0, or -10000 over padding: (B,1,1,S), from the lengths. */
  private String mask() {
    String length = graph.node("Squeeze", List.of(graph.node("Shape", List.of("input_ids"), attribute("start", 1),
        attribute("end", 2))));
    graph.constant(new OnnxConstant("step", OnnxConstant.INT64, Long.BYTES, new long[0], (i, to) -> to.putLong(1)));
    graph.constant(OnnxConstant.longs("behind", 1, 2, 3));
    String places = graph.node("Range", List.of("first", length, "step"));
    String lengths = graph.node("Unsqueeze", List.of(graph.node("Cast", List.of("lengths"),
        attribute("to", OnnxConstant.INT64)), "behind"));
    String hidden = graph.node("Not", List.of(graph.node("Less", List.of(places, lengths))));
    String hiding = graph.node("Cast", List.of(hidden), attribute("to", OnnxConstant.FLOAT));
    return graph.node("Mul", List.of(hiding, scalar("hidden", -10000)));
  }

  private String layer(String path, String x, String mask) {
    String self = path + "attention.self.";
    String context = switch (form) {
      case STANDARD -> inParts(self, x, mask);
      case ATTENTION -> attention(self, x);
      case MULTI_HEAD, INT8 -> multiHead(self, x);
    };
    String a = joined(path + "attention.output.", context, width, x);
    String up = path + "intermediate.dense";
    String y;
    if (form == Form.STANDARD) {
      y = gelu(linear(up, a, width, inner, true));
    } else {
      y = graph.node(MICROSOFT, "BiasGelu", List.of(linear(up, a, width, inner, false), vector(up + ".bias", inner)));
    }
    return joined(path + "output.", y, inner, a);
  }

  private String gelu(String x) {
    String e = graph.node("Erf", List.of(graph.node("Div", List.of(x, "root of two"))));
    return graph.node("Mul", List.of(graph.node("Mul", List.of(x, graph.node("Add", List.of(e, "one")))), "half"));
  }

  /** norm(residual + dense(x)). */
  private String joined(String path, String x, int in, String residual) {
    boolean biasApart = form == Form.ATTENTION || form == Form.MULTI_HEAD;
    String y = linear(path + "dense", x, in, width, !biasApart);
    if (form == Form.STANDARD) return norm(path + "LayerNorm", graph.node("Add", List.of(y, residual)));
    List<String> inputs = new ArrayList<>(List.of(y, residual, vector(path + "LayerNorm.weight", width),
        vector(path + "LayerNorm.bias", width)));
    if (biasApart) inputs.add(vector(path + "dense.bias", width));
    return graph.node(MICROSOFT, "SkipLayerNormalization", inputs, attribute("epsilon", (float) Job.NORM_EPS));
  }

  private String inParts(String path, String x, String mask) {
    String q = heads(path + "query", x, 0, 2, 1, 3), k = heads(path + "key", x, 0, 2, 3, 1);
    String v = heads(path + "value", x, 0, 2, 1, 3);
    String scores = graph.node("Div", List.of(graph.node("MatMul", List.of(q, k)), "root of head"));
    if (mask != null) scores = graph.node("Add", List.of(scores, mask));
    String p = graph.node("Softmax", List.of(scores), attribute("axis", -1));
    String context = graph.node("Transpose", List.of(graph.node("MatMul", List.of(p, v))),
        attribute("perm", new long[] {0, 2, 1, 3}));
    return graph.node("Reshape", List.of(context, "joined"));
  }

  private String heads(String layer, String x, long... order) {
    String parted = graph.node("Reshape", List.of(linear(layer, x, width, width, true), "by heads"));
    return graph.node("Transpose", List.of(parted), attribute("perm", order));
  }

  /** The biases (3C) of queries, keys and values. */
  private String inputBias(String path) {
    Formula[] f = inputs(path, ".bias");
    return graph.constant(OnnxConstant.floats(path + "bias", i -> f[(int) (i / width)].at(i % width), 3L * width));
  }

  private static Formula[] inputs(String path, String end) {
    return new Formula[] {new Formula(path + "query" + end), new Formula(path + "key" + end),
      new Formula(path + "value" + end)};
  }

  /** One product with the three matrices side by side (C,3C). */
  private String attention(String path, String x) {
    Formula[] f = inputs(path, ".weight");
    String matrix = graph.constant(OnnxConstant.floats(path + "weight", i -> {
      long row = i / (3L * width), column = i % (3L * width);
      return f[(int) (column / width)].at(column % width * width + row);
    }, width, 3L * width));
    List<String> inputs = new ArrayList<>(List.of(x, matrix, inputBias(path)));
    if (padded) inputs.add("lengths");
    return graph.node(MICROSOFT, "Attention", inputs, attribute("num_heads", heads));
  }

  private String multiHead(String path, String x) {
    List<String> inputs = new ArrayList<>();
    for (String name : List.of("query", "key", "value")) {
      inputs.add(linear(path + name, x, width, width, form == Form.INT8));
    }
    inputs.add(form == Form.INT8 ? "" : inputBias(path));
    if (padded) inputs.add("lengths");
    return graph.node(MICROSOFT, "MultiHeadAttention", inputs, attribute("num_heads", heads));
  }
}
