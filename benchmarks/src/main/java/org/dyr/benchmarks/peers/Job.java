package org.dyr.benchmarks.peers;

import java.nio.file.Path;
import java.util.List;

/**
 * What a process is to compute: a training step (forward, backward, clip to norm {@link #CLIP}, Lamb) over groups of
 * {@link #GROUP} sequences, one positive first; or the logits of sequences. BERT with one logit, its numbers those of
 * {@link Formula}.
 *
 * @param dropout every dropout's probability in training
 * @param batch sequences at once where an engine pads; in inference they are sorted by length first
 * @param variant a choice that only the engine knows, such as its form of attention
 * @param sequences a file, see {@link Sequence#read}
 */
public record Job(Mode mode, Size size, double dropout, Precision precision, int threads, int batch, String variant,
    Path sequences) {

  /** One positive and seven negatives. */
  public static final int GROUP = 8;
  /** The norm that the gradient is clipped to. */
  public static final double CLIP = 1;
  /** So low that the weights stay what they are for all one sees, and the time does not depend on it. */
  public static final double LEARNING_RATE = 1e-6;
  /** The vocabulary of bert-base-uncased. */
  public static final int VOCABULARY = 30522;
  /** The longest sequence. */
  public static final int POSITIONS = 512;
  /** BERT's addend under the root of layer norm. */
  public static final double NORM_EPS = 1e-12;

  private static final int PARTS = 8;

  /** What is done. */
  public enum Mode { TRAIN, INFER }

  /** What is computed in: bf16 with fp32 weights in training; int8 products of dynamically quantized activations. */
  public enum Precision {
    F32, BF16, INT8;

    @Override public String toString() {
      return switch (this) {
        case F32 -> "fp32";
        case BF16 -> "bf16";
        case INT8 -> "int8";
      };
    }
  }

  /** A BERT; its feed-forward layers are four times as wide. */
  public record Size(int layers, int hidden, int heads) {
    public int intermediate() {
      return 4 * hidden;
    }

    public int headSize() {
      return hidden / heads;
    }

    @Override public String toString() {
      return layers + "x" + hidden + "x" + heads;
    }

    static Size of(String text) {
      String[] p = text.split("x");
      return new Size(Integer.parseInt(p[0]), Integer.parseInt(p[1]), Integer.parseInt(p[2]));
    }
  }

  public boolean training() {
    return mode == Mode.TRAIN;
  }

  /** The job as a command line's arguments. */
  List<String> arguments() {
    return List.of(mode.name(), size.toString(), String.valueOf(dropout), precision.name(), String.valueOf(threads),
        String.valueOf(batch), variant, sequences.toString());
  }

  static Job of(String[] a) {
    if (a.length != PARTS) throw new IllegalArgumentException("a job has %d parts, not %d".formatted(PARTS, a.length));
    return new Job(Mode.valueOf(a[0]), Size.of(a[1]), Double.parseDouble(a[2]), Precision.valueOf(a[3]),
        Integer.parseInt(a[4]), Integer.parseInt(a[5]), a[6], Path.of(a[7]));
  }
}
