package org.dyr.kernels.cpu;

import java.util.Optional;
import java.util.stream.IntStream;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * c = op(a) op(b) [+ bias] [+ residual] by {@code gemm.h}, and an activation or its gradient behind it. Each worker packs
 * panels of b of its own, where b is not in panels, and multiplies all rows by them: no cache line of them goes to another
 * core. Where a is to be transposed, which each worker would do for itself, or panels do not share out evenly, all pack b
 * together, and each multiplies its own rows by all panels. A depth beyond {@link #DEPTH} goes in equal parts, the later
 * ones added to c. The sums of a's rows are taken from the packed block. A weight that is to be rounded is rounded as it is
 * packed. Scratch: the panels, then a packed block of a for each worker. Compute-bound: 2 M N K operations.
 */
final class NativeGemm implements Kernel {
  /**
   * Units of depth at once where c is fp32: the deeper, the fewer rows of a fit the second cache, and the more often b
   * comes from beyond it.
   */
  private static final int DEPTH = 768;

  /** The same where c is bf16, in which no sum is added up: bounds the panels' memory. */
  private static final int MOST_DEPTH = 4096;

  /** Below so many multiply-adds a second worker is not worth waking. */
  private static final long ALONE = 1 << 17;

  /** What follows a product, as {@code gemm::Then} has it. */
  private static final int NOTHING = 0;
  private static final int ACTIVATE = 1;
  private static final int SLOPE = 2;

  /** Rows of a tile, the most of any instruction set: fewer for each worker, and columns divide better. */
  private static final int TILE = 14;

  /** Panels for each worker from which one more or less for some of them does not count. */
  private static final int MANY = 8;

  /** M, N, K, and how K is cut. */
  private record Size(int m, int n, int k, int elementsPerUnit, int parts) {

    static Size of(Op op, Spec[] in, Instructions set) {
      Gemm gemm = gemm(op);
      Shape c = op.outputs(in)[0].shape();
      int k = in[0].shape().dim(gemm.transposeA() ? 0 : 1);
      int perUnit = perUnit(in[0].type(), set);
      int fewest = Math.ceilDiv(Math.ceilDiv(k, perUnit), mostDepth(op.outputs(in)[0].type()));
      int parts = Panels.of(in[1].shape()).map(Panels::parts).orElse(Math.max(1, fewest));
      return new Size(c.dim(0), c.dim(1), k, perUnit, parts);
    }

    /** The first element of a part of the depth. */
    int begin(int part) {
      return Math.min(k, Math.ceilDiv(Math.ceilDiv(k, elementsPerUnit), parts) * part * elementsPerUnit);
    }

    int units() {
      return Math.ceilDiv(begin(1), elementsPerUnit);
    }

    int panels(int columns) {
      return Math.ceilDiv(n, columns);
    }
  }

  private final Workers workers;
  private final Workers.Task pack = this::pack;
  private final Workers.Task multiply = this::multiply;
  private final int isa;
  private final int type;
  private final int bytes; // of an element of a
  private final boolean transposeA;
  private final boolean transposeB;
  private final boolean wide;
  private final Size size;
  private final boolean rounds;
  private final boolean inPanels;
  private final int panelCount;
  private final int shares;
  private final boolean byRows;
  private final long a;
  private final long aStride;
  private final long b;
  private final long bStride;
  private final long c;
  private final long bias;
  private final long residual;
  private final long sums;
  private final int then;
  private final int kind;
  private final long u;
  private final long panels;
  private final long blocks;
  private final long blockBytes;
  private int part;

  NativeGemm(Op made, Binding o, Instructions set) {
    Op op = made instanceof GemmRounding g ? g.of() : made;
    Gemm gemm = gemm(op);
    workers = o.workers;
    isa = o.isa;
    type = o.type;
    bytes = o.operands.in()[0].type().bytes();
    transposeA = gemm.transposeA();
    transposeB = gemm.transposeB();
    wide = o.operands.out()[0].type() == DType.F32;
    size = Size.of(made, o.operands.in(), set);
    rounds = o.operands.in()[1].type() != o.operands.in()[0].type();
    inPanels = Panels.of(o.operands.in()[1].shape()).isPresent();
    panelCount = size.panels(NativeCalls.panelColumns(isa));
    a = o.in(0);
    b = o.in(1);
    c = o.out(0);
    aStride = o.operands.in()[0].shape().dim(1);
    bStride = o.operands.in()[1].shape().dim(1);
    then = switch (op) {
      case GemmActivation _ -> ACTIVATE;
      case GemmActivation.Grad _ -> SLOPE;
      default -> NOTHING;
    };
    kind = switch (op) {
      case GemmActivation g -> g.kind().ordinal();
      case GemmActivation.Grad g -> g.kind().ordinal();
      default -> 0;
    };
    u = then == SLOPE ? o.in(2) : then == ACTIVATE && ((GemmActivation) op).kept() ? o.out(1) : 0;
    bias = then == SLOPE ? o.in(3) : then == ACTIVATE || gemm.bias() ? o.in(2) : 0;
    residual = gemm.residual() ? o.in(gemm.residualInput()) : 0;
    sums = op instanceof GemmSumRows ? o.out(1) : 0;
    shares = (long) size.m * size.n * size.k < ALONE ? 1 : workers.count();
    boolean even = panelCount % shares == 0 || panelCount >= MANY * shares;
    byRows = panelCount < shares || size.m >= TILE * shares && (transposeA || !even);
    panels = inPanels ? b : o.scratch();
    blocks = o.scratch() + (inPanels ? 0 : panelBytes(size, isa));
    blockBytes = blockBytes(size, isa);
  }

  static Gemm gemm(Op op) {
    return switch (op) {
      case Gemm g -> g;
      case GemmSumRows g -> g.of();
      case MatMul m -> Gemm.of(m);
      case GemmActivation g -> new Gemm(g.transposeA(), g.transposeB(), false, false, false);
      case GemmActivation.Grad g -> new Gemm(g.transposeA(), g.transposeB(), false, false, false);
      case GemmRounding g -> gemm(g.of());
      default -> throw new IllegalArgumentException(op.name() + " is no matrix product");
    };
  }

  /**
   * A sum in parts is added up in c: not in 16 bits. Panels are of this set's columns and units. A product that rounds
   * has something to round: who widens operands of a type that is not native must not take it for the plain one.
   */
  static boolean supports(Op op, Spec[] in, Instructions set) {
    if (op instanceof GemmRounding && in[0].type() == in[1].type()) return false;
    Size size = Size.of(op, in, set);
    return (op.outputs(in)[0].type() == DType.F32 || size.parts == 1)
        && Panels.of(in[1].shape()).map(p -> areNative(p, in[1].type(), set)).orElse(true);
  }

  /** Elements in a 32-bit unit of what is multiplied: one where bf16 is widened. */
  private static int perUnit(DType type, Instructions set) {
    return type == DType.BF16 ? NativeCalls.bf16Depth(set.number()) : 1;
  }

  /** Units of depth at once where c has this type. */
  private static int mostDepth(DType c) {
    return c == DType.F32 ? DEPTH : MOST_DEPTH;
  }

  /** Whether panels lie in memory as this set packs them: bf16 that is widened for it does not. */
  static boolean areNative(Panels p, DType type, Instructions set) {
    int unit = perUnit(type, set);
    return p.columns() == NativeCalls.panelColumns(set.number()) && p.unit() == unit
        && unit * type.bytes() == Float.BYTES;
  }

  /** The panels of a weight (N,K) that divides into them: as few parts of its depth as there may be. */
  static Optional<Panels> panels(Spec weight, Instructions set) {
    int n = weight.shape().dim(0), k = weight.shape().dim(1), unit = perUnit(weight.type(), set), units = k / unit;
    int columns = NativeCalls.panelColumns(set.number());
    if (n % columns != 0 || k % unit != 0) return Optional.empty();
    return IntStream.rangeClosed(Math.ceilDiv(units, mostDepth(weight.type())), units)
        .filter(parts -> units % parts == 0).mapToObj(parts -> new Panels(parts, columns, unit)).findFirst()
        .filter(p -> areNative(p, weight.type(), set) && (weight.type() == DType.F32 || p.parts() == 1));
  }

  /** Packs the panels of a weight. */
  static Kernel panels(Panels p, Binding o) {
    int n = o.rows(), k = o.columns(), depth = k / p.parts(), bytes = o.type == 1 ? 2 : 4;
    Workers.Task task = o.share(n / p.columns(), (from, to, worker) -> {
      for (int part = 0; part < p.parts(); part++) {
        NativeCalls.packPanels(o.isa, o.type, o.in(0) + (long) part * depth * bytes, k, true, depth, n, (int) from,
            (int) to, o.out(0) + (long) part * depth * n * bytes);
      }
    });
    return () -> o.workers.run(task);
  }

  static long scratchBytes(Op op, Spec[] in, Instructions set, int workers) {
    Size size = Size.of(op, in, set);
    boolean inPanels = Panels.of(in[1].shape()).isPresent();
    return (inPanels ? 0 : panelBytes(size, set.number())) + workers * blockBytes(size, set.number());
  }

  private static long panelBytes(Size size, int isa) {
    int columns = NativeCalls.panelColumns(isa);
    return 4L * size.units() * size.panels(columns) * columns;
  }

  private static long blockBytes(Size size, int isa) {
    return Math.ceilDiv(4 * NativeCalls.blockFloats(isa, size.units()), 64L) * 64;
  }

  @Override public void launch() {
    for (part = 0; part < size.parts; part++) {
      if (shares == 1) {
        if (!inPanels) pack(0);
        multiply(0);
      } else {
        if (byRows && !inPanels) workers.run(pack);
        workers.run(multiply);
      }
    }
  }

  private int depth() {
    return size.begin(part + 1) - size.begin(part);
  }

  /** Where the panels of a part are: packed parts take the same place in turn. */
  private long panelsOf(int part) {
    return panels + (inPanels ? part * panelBytes(size, isa) : 0);
  }

  /** The address of element {@code begin} of the depth. */
  private long at(long x, int bytes, boolean depthIsRows, long stride) {
    return x + bytes * size.begin(part) * (depthIsRows ? stride : 1);
  }

  private void pack(int worker) {
    pack(Workers.begin(panelCount, worker, shares), Workers.begin(panelCount, worker + 1, shares));
  }

  private void pack(int from, int to) {
    long at = at(b, rounds ? Float.BYTES : bytes, !transposeB, bStride);
    if (rounds) NativeCalls.packRounded(isa, at, bStride, transposeB, depth(), size.n, from, to, panels);
    else NativeCalls.packPanels(isa, type, at, bStride, transposeB, depth(), size.n, from, to, panels);
  }

  private void multiply(int worker) {
    int rowBegin = 0, rowEnd = size.m, panelBegin = 0, panelEnd = panelCount;
    if (byRows) {
      rowBegin = Workers.begin(size.m, worker, shares);
      rowEnd = Workers.begin(size.m, worker + 1, shares);
    } else {
      panelBegin = Workers.begin(panelCount, worker, shares);
      panelEnd = Workers.begin(panelCount, worker + 1, shares);
      if (shares > 1 && !inPanels) pack(panelBegin, panelEnd);
    }
    boolean last = part == size.parts - 1, takesBias = part == (then == NOTHING ? 0 : size.parts - 1);
    long sum = then == ACTIVATE && u != 0 ? u : c; // where the parts are added up
    NativeCalls.multiply(isa, type, at(a, bytes, transposeA, aStride), aStride, transposeA, depth(), panelsOf(part),
        rowBegin, rowEnd, panelBegin, panelEnd, last ? c : sum, part == 0 ? residual : sum, takesBias ? bias : 0, size.n,
        wide, last ? then : NOTHING, kind, u, blocks + worker * blockBytes, panelBegin == 0 ? sums : 0, part > 0);
  }
}
