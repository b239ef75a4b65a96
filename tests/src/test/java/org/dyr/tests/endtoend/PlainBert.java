package org.dyr.tests.endtoend;

import java.util.Map;
import org.dyr.nn.BertConfig;

/**
 * A BERT with relative positions and relu for one sequence, written down from the papers with arrays and loops: nothing
 * of the engine is in it. Weights are (out,in) row by row, under their names.
 */
final class PlainBert {
  private static final int MOST_DISTANCE = 16;

  private final BertConfig config;
  private final Map<String, double[]> weights;

  PlainBert(BertConfig config, Map<String, double[]> weights) {
    this.config = config;
    this.weights = weights;
  }

  double logit(int[] ids, int firstSegment) {
    int columns = config.hiddenSize();
    double[] words = weights.get("bert.embeddings.word_embeddings.weight");
    double[] types = weights.get("bert.embeddings.token_type_embeddings.weight");
    double[][] x = new double[ids.length][columns];
    for (int t = 0; t < ids.length; t++) {
      for (int c = 0; c < columns; c++) {
        x[t][c] = words[ids[t] * columns + c] + types[(t < firstSegment ? 0 : 1) * columns + c];
      }
      normalize(x[t], "bert.embeddings.LayerNorm");
    }
    for (int layer = 0; layer < config.layers(); layer++) x = encode("bert.encoder.layer." + layer + ".", x);
    double[] pooled = dense("bert.pooler.dense", x[0]);
    for (int c = 0; c < columns; c++) pooled[c] = Math.tanh(pooled[c]);
    return dense("classifier", pooled)[0];
  }

  private double[][] encode(String path, double[][] x) {
    double[][] attended = attend(path + "attention.self.", x), y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] a = dense(path + "attention.output.dense", attended[t]);
      for (int c = 0; c < a.length; c++) a[c] += x[t][c];
      normalize(a, path + "attention.output.LayerNorm");
      double[] inner = dense(path + "intermediate.dense", a);
      for (int c = 0; c < inner.length; c++) inner[c] = Math.max(0, inner[c]);
      y[t] = dense(path + "output.dense", inner);
      for (int c = 0; c < a.length; c++) y[t][c] += a[c];
      normalize(y[t], path + "output.LayerNorm");
    }
    return y;
  }

  /** The relation of token i to token j is added to key and value of j; each head by itself. */
  private double[][] attend(String path, double[][] x) {
    int n = x.length, size = config.hiddenSize() / config.heads();
    double[] relations = weights.get(path + "relative_positions.weight");
    double[][] q = new double[n][], k = new double[n][], v = new double[n][], o = new double[n][config.hiddenSize()];
    for (int t = 0; t < n; t++) {
      q[t] = dense(path + "query", x[t]);
      k[t] = dense(path + "key", x[t]);
      v[t] = dense(path + "value", x[t]);
    }
    for (int h = 0; h < config.heads(); h++) {
      for (int i = 0; i < n; i++) {
        double[] share = new double[n];
        double total = 0;
        for (int j = 0; j < n; j++) {
          double score = 0;
          for (int d = 0; d < size; d++) {
            score += q[i][h * size + d] * (k[j][h * size + d] + relations[relation(i, j) * size + d]);
          }
          share[j] = Math.exp(score / Math.sqrt(size));
          total += share[j];
        }
        for (int j = 0; j < n; j++) {
          for (int d = 0; d < size; d++) {
            o[i][h * size + d] += share[j] / total * (v[j][h * size + d] + relations[relation(i, j) * size + d]);
          }
        }
      }
    }
    return o;
  }

  private static int relation(int i, int j) {
    if (j >= i + MOST_DISTANCE) return 2 * MOST_DISTANCE;
    return j <= i - MOST_DISTANCE ? 0 : j - i + MOST_DISTANCE;
  }

  private double[] dense(String name, double[] x) {
    double[] w = weights.get(name + ".weight"), y = weights.get(name + ".bias").clone();
    for (int o = 0; o < y.length; o++) {
      for (int i = 0; i < x.length; i++) y[o] += w[o * x.length + i] * x[i];
    }
    return y;
  }

  private void normalize(double[] x, String name) {
    double mean = 0, variance = 0;
    for (double e : x) mean += e / x.length;
    for (double e : x) variance += (e - mean) * (e - mean) / x.length;
    double[] w = weights.get(name + ".weight"), b = weights.get(name + ".bias");
    for (int c = 0; c < x.length; c++) x[c] = (x[c] - mean) / Math.sqrt(variance + config.layerNormEps()) * w[c] + b[c];
  }
}
