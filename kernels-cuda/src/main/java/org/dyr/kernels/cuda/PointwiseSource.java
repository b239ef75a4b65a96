package org.dyr.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import org.dyr.kernels.cuda.Pointwise.Step;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.BiasActivation;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.Op;
import org.dyr.op.Scale;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Writes the CUDA C++ of a {@link Pointwise}: the same text for the same op, types and width, whatever the sizes, sites
 * and probabilities. A thread takes a pack of neighbours, up to 16 bytes of them, then the next one a whole grid
 * further. With dropout it takes four packs 16 columns apart, for which the same draws of Philox have a word each.
 *
 * <p>Parameters of the kernel: the inputs, the output, then as unsigned numbers the units that threads take, units of a
 * row, columns; for each dropout its site, its threshold, and as float what it multiplies with.
 */
final class PointwiseSource {
  static final String KERNEL = "pointwise";
  static final int THREADS = 256;

  private static final int PACK_BYTES = 16;
  private static final String PRELUDE = prelude();

  private final Pointwise op;
  private final Spec[] in;
  private final Spec[] made;

  PointwiseSource(Pointwise op, Spec[] in) {
    this.op = op;
    this.in = in;
    this.made = op.made(in);
  }

  private static String prelude() {
    try (InputStream file = PointwiseSource.class.getResourceAsStream("pointwise.cuh")) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The dropouts among the steps, in order. */
  List<Dropout> dropouts() {
    return op.steps().stream().map(Step::op).filter(Dropout.class::isInstance).map(Dropout.class::cast).toList();
  }

  /** Columns of a row; where no step asks for rows, all elements are one. */
  int columns() {
    boolean rows = op.steps().stream().anyMatch(s -> s.op() instanceof Dropout || bias(s.op()) > 0);
    return rows ? made[0].shape().last() : Math.toIntExact(made[0].shape().size());
  }

  /** Neighbours that a thread takes at once: 16 bytes of the widest type, where columns divide. */
  int width() {
    int bytes = made[made.length - 1].type().bytes();
    for (int i : elements()) bytes = Math.max(bytes, in[i].type().bytes());
    return columns() % (PACK_BYTES / bytes) == 0 ? PACK_BYTES / bytes : 1;
  }

  /** What threads take of a row, a unit at a time: packs, or four packs together. */
  int unitsPerRow() {
    return dropouts().isEmpty() ? columns() / width() : (columns() + 63) / 64 * (16 / width());
  }

  long units() {
    return made[0].shape().size() / columns() * unitsPerRow();
  }

  /** The inputs that are read element by element. */
  private TreeSet<Integer> elements() {
    TreeSet<Integer> elements = new TreeSet<>();
    for (Step s : op.steps()) {
      for (int o : s.operands().subList(0, Pointwise.elements(s.op()))) if (o >= 0) elements.add(o);
    }
    return elements;
  }

  /** The operand that is a bias, or 0. */
  private static int bias(Op op) {
    return switch (op) {
      case AddBias _, BiasActivation _ -> 1;
      case BiasActivation.Grad _ -> 2;
      default -> 0;
    };
  }

  /** The whole text. */
  String text() {
    StringBuilder s = new StringBuilder(PRELUDE);
    s.append("// %s\n".formatted(op.name()));
    s.append(text("extern \"C\" __global__ void __launch_bounds__(%d) %s(%s) {\n", THREADS, KERNEL, parameters()));
    s.append("  constexpr int V = ").append(width()).append(";\n");
    TreeSet<Integer> factors = new TreeSet<>();
    for (Step t : op.steps()) if (t.op() instanceof Scale) factors.add(t.operands().get(1));
    for (int i : factors) s.append(text("  float s%d = widen(*x%d);\n", i, i));
    s.append("  unsigned step = gridDim.x * blockDim.x;\n");
    s.append("  for (unsigned unit = blockIdx.x * blockDim.x + threadIdx.x; unit < units; unit += step) {\n");
    s.append("    unsigned row = unit / perRow, part = unit % perRow;\n");
    if (dropouts().isEmpty()) {
      s.append("    unsigned column = part * V;\n");
      pack(s, "    ");
    } else {
      s.append("    unsigned first = part / (16 / V) * 64 + part % (16 / V) * V;\n");
      for (int k = 0; k < op.steps().size(); k++) {
        if (!(op.steps().get(k).op() instanceof Dropout)) continue;
        List<Integer> o = op.steps().get(k).operands();
        s.append(text("    unsigned kept%d = kept<V>(x%d[row], x%d[row], first, columns, x%d, site%d, threshold%d);\n",
            k, o.get(3), o.get(2), o.get(1), k, k));
      }
      s.append("#pragma unroll\n    for (int k = 0; k < 4; k++) {\n");
      s.append("      unsigned column = first + 16 * k;\n      if (column >= columns) break;\n");
      pack(s, "      ");
      s.append("    }\n");
    }
    return s.append("  }\n}\n").toString();
  }

  /** A piece of the text, with the digits that the compiler reads wherever the user is. */
  private static String text(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }

  private String parameters() {
    List<String> p = new ArrayList<>();
    for (int i = 0; i < in.length; i++) p.add("const " + type(in[i].type()) + "* __restrict__ x" + i);
    p.add(type(made[made.length - 1].type()) + "* __restrict__ y");
    p.addAll(List.of("unsigned units", "unsigned perRow", "unsigned columns"));
    for (int k = 0; k < op.steps().size(); k++) {
      if (op.steps().get(k).op() instanceof Dropout) {
        p.addAll(List.of("unsigned site" + k, "unsigned threshold" + k, "float factor" + k));
      }
    }
    return String.join(", ", p);
  }

  private static String type(DType type) {
    return switch (type) {
      case F32 -> "float";
      case BF16 -> "bf16";
      case F16 -> "fp16";
      case I32 -> "int";
      case F64 -> throw new IllegalArgumentException("no CUDA kernel stores " + type);
    };
  }

  /** Loads a pack of every operand, goes through the steps for each element, stores. */
  private void pack(StringBuilder s, String indent) {
    TreeSet<Integer> biases = new TreeSet<>();
    for (Step t : op.steps()) if (bias(t.op()) > 0) biases.add(t.operands().get(bias(t.op())));
    s.append(indent).append("long long at = static_cast<long long>(row) * columns + column;\n");
    for (int i : elements()) s.append(text("%1$sfloat a%2$d[V];\n%1$sload(x%2$d + at, a%2$d);\n", indent, i));
    for (int i : biases) s.append(text("%1$sfloat b%2$d[V];\n%1$sload(x%2$d + column, b%2$d);\n", indent, i));
    s.append(indent).append("float out[V];\n");
    s.append("#pragma unroll\n").append(indent).append("for (int v = 0; v < V; v++) {\n");
    for (int k = 0; k < op.steps().size(); k++) {
      s.append(indent).append(text("  float v%d = %s;\n", k, formula(k)));
    }
    s.append(text("%1$s  out[v] = v%2$d;\n%1$s}\n%1$sstore(y + at, out);\n", indent, op.steps().size() - 1));
  }

  /** What step k makes of an element. */
  private String formula(int k) {
    Step s = op.steps().get(k);
    String x = element(s, 0);
    return switch (s.op()) {
      case AddBias _ -> "%s + %s".formatted(x, bias(s));
      case Activation a -> "apply%s(%s)".formatted(Pointwise.word(a.kind()), x);
      case Activation.Grad a -> "%s * grad%s(%s)".formatted(x, Pointwise.word(a.kind()), element(s, 1));
      case BiasActivation a -> "apply%s(%s + %s)".formatted(Pointwise.word(a.kind()), x, bias(s));
      case BiasActivation.Grad a ->
          "%s * grad%s(%s + %s)".formatted(x, Pointwise.word(a.kind()), element(s, 1), bias(s));
      case Dropout _ -> text("kept%d >> (k * V + v) & 1 ? %s * factor%d : 0", k, x, k);
      case Add _ -> "%s + %s".formatted(x, element(s, 1));
      case Scale _ -> "s" + s.operands().get(1) + " * " + x;
      case Cast c -> c.to() == DType.F32 || k == op.steps().size() - 1 ? x // the store rounds
          : "rounded<%s>(%s)".formatted(type(c.to()), x);
      default -> throw new IllegalArgumentException(s.op().name());
    };
  }

  private static String element(Step s, int operand) {
    int o = s.operands().get(operand);
    return o < 0 ? "v" + ~o : "a" + o + "[v]";
  }

  private static String bias(Step s) {
    return "b" + s.operands().get(bias(s.op())) + "[v]";
  }
}
