package org.dyr.cpu.widening;

import java.util.List;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Cast;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * The 16-bit types on a processor without instructions for them: operands are widened to fp32, the fp32 kernel of a set
 * above runs, results are rounded. Sums are fp32, as they would be there.
 */
public final class WideningKernels implements KernelSet {
  private final List<KernelSet> above;
  private final Workers workers;

  /** @param above the sets whose fp32 kernels are used, the preferred first */
  public WideningKernels(List<KernelSet> above, Workers workers) {
    this.above = List.copyOf(above);
    this.workers = workers;
  }

  @Override public String name() {
    return "widening";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    if (op instanceof Cast cast) return isCast(in[0].type(), cast.to());
    return hasHalf(in) && choose(op, widened(in)) != null;
  }

  /** Between fp32 and a 16-bit type. */
  private static boolean isCast(DType from, DType to) {
    return from == DType.F32 && to.isHalf() || from.isHalf() && to == DType.F32;
  }

  private static boolean hasHalf(Spec[] in) {
    for (Spec s : in) if (s.type().isHalf()) return true;
    return false;
  }

  private KernelSet choose(Op op, Spec[] widened) {
    for (KernelSet set : above) if (set.supports(op, widened)) return set;
    return null;
  }

  static Spec[] widened(Spec[] specs) {
    Spec[] wide = specs.clone();
    for (int i = 0; i < wide.length; i++) if (wide[i].type().isHalf()) wide[i] = wide[i].as(DType.F32);
    return wide;
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    if (op instanceof Cast) return 0;
    Spec[] wide = widened(in);
    return WideningKernel.scratchBytes(op, in, op.outputs(in)) + choose(op, wide).scratchBytes(op, wide);
  }

  @Override public Kernel prepare(Op op, Operands o) {
    if (op instanceof Cast) return new Conversion(o.in()[0], o.inputs()[0], o.out()[0], o.outputs()[0], workers);
    return new WideningKernel(op, o, choose(op, widened(o.in())), workers);
  }
}
