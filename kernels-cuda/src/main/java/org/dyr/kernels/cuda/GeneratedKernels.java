package org.dyr.kernels.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.Op;
import org.dyr.op.Philox;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Kernels that are written and compiled when a program is prepared: those of {@link Pointwise}. Without NVRTC it
 * supports nothing. A kernel is compiled once on a machine ({@link Cubins}) and loaded once on a device.
 */
final class GeneratedKernels implements KernelSet, AutoCloseable {
  /** The inputs of a kernel, each in registers. */
  private static final int MOST_INPUTS = 16;

  /** Blocks of a multiprocessor, twice as many as it holds. */
  private static final int BLOCKS = 16;

  private final CUctx_st context;
  private final CUstream_st stream;
  private final int mostBlocks = BLOCKS * Driver.multiprocessors(0);
  private final String architecture = Driver.architecture(0);
  private final Map<String, CUfunc_st> functions = new HashMap<>();
  private final List<CUmod_st> modules = new ArrayList<>();

  GeneratedKernels(CUctx_st context, CUstream_st stream) {
    this.context = context;
    this.stream = stream;
  }

  @Override public String name() {
    return "generated";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    if (!(op instanceof Pointwise p) || in.length > MOST_INPUTS) return false;
    for (Spec s : in) if (s.type() == DType.F64 || s.shape().size() > Integer.MAX_VALUE) return false;
    return p.steps().stream().noneMatch(s -> s.op() instanceof Cast c && c.to() == DType.F64)
        && Nvrtc.unavailable().isEmpty();
  }

  @Override public Kernel prepare(Op op, Operands operands) {
    if (operands.out()[0].shape().size() == 0) return () -> {};
    PointwiseSource source = new PointwiseSource((Pointwise) op, operands.in());
    CUfunc_st function = function(source.text());
    List<Long> values = new ArrayList<>();
    for (Span s : operands.inputs()) values.add(s.address());
    values.add(operands.outputs()[0].address());
    values.addAll(List.of(source.units(), (long) source.unitsPerRow(), (long) source.columns()));
    for (Dropout d : source.dropouts()) {
      values.addAll(List.of((long) d.site(), (long) Philox.threshold(d.probability()),
          (long) Float.floatToRawIntBits((float) Philox.scale(d.probability()))));
    }
    // A cell of eight bytes each, of which the kernel reads as many as its parameter has.
    LongPointer cells = new LongPointer(values.stream().mapToLong(v -> v).toArray());
    PointerPointer<LongPointer> parameters = new PointerPointer<>(values.size());
    for (int i = 0; i < values.size(); i++) parameters.put(i, cells.getPointer(i));
    int blocks = (int) Math.min(mostBlocks, Math.ceilDiv(source.units(), PointwiseSource.THREADS));
    return new Launch(function, blocks, stream, cells, parameters);
  }

  /** Holds the parameters, host memory, as long as it may be launched. */
  private record Launch(CUfunc_st function, int blocks, CUstream_st stream, LongPointer cells,
      PointerPointer<LongPointer> parameters) implements Kernel {
    @Override public void launch() {
      Driver.launch(function, blocks, PointwiseSource.THREADS, stream, parameters);
    }

    @Override public void close() {
      parameters.close();
      cells.close();
    }
  }

  private synchronized CUfunc_st function(String text) {
    return functions.computeIfAbsent(text, t -> {
      byte[] cubin = Cubins.of(t, architecture);
      Driver.makeCurrent(context);
      CUmod_st module = Driver.loadModule(cubin);
      modules.add(module);
      return Driver.function(module, PointwiseSource.KERNEL);
    });
  }

  /** Unloads the kernels; nothing may be on its way. */
  @Override public void close() {
    modules.forEach(Driver::unload);
    modules.clear();
    functions.clear();
  }
}
