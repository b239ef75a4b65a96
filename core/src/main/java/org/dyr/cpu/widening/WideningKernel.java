package org.dyr.cpu.widening;

import java.util.ArrayList;
import java.util.List;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * An op over 16-bit operands by an fp32 kernel: widen what it reads into scratch, run, round what it wrote. The scratch
 * holds the fp32 copies, each at a multiple of 64 bytes, then the kernel's own.
 */
final class WideningKernel implements Kernel {
  private static final int ALIGNMENT = 64;

  private final Kernel[] steps;

  WideningKernel(Op op, Operands o, KernelSet set, Workers workers) {
    List<Kernel> before = new ArrayList<>(), after = new ArrayList<>();
    Spec[] in = WideningKernels.widened(o.in()), out = WideningKernels.widened(o.out());
    Span[] inputs = o.inputs().clone(), outputs = o.outputs().clone();
    long at = 0;
    for (int i = 0; i < inputs.length; i++) {
      if (!o.in()[i].type().isHalf()) continue;
      inputs[i] = o.scratch().slice(at, in[i].bytes());
      before.add(new Conversion(o.in()[i], o.inputs()[i], in[i], inputs[i], workers));
      at += wideBytes(in[i]);
    }
    for (int i = 0; i < outputs.length; i++) {
      if (!o.out()[i].type().isHalf()) continue;
      if (op.aliasOf(i) >= 0) {
        outputs[i] = inputs[op.aliasOf(i)];
      } else {
        outputs[i] = o.scratch().slice(at, out[i].bytes());
        at += wideBytes(out[i]);
      }
      after.add(new Conversion(out[i], outputs[i], o.out()[i], o.outputs()[i], workers));
    }
    Span scratch = o.scratch().slice(at, set.scratchBytes(op, in));
    before.add(set.prepare(op, new Operands(in, out, inputs, outputs, scratch)));
    before.addAll(after);
    steps = before.toArray(new Kernel[0]);
  }

  /** Bytes of the fp32 copies. */
  static long scratchBytes(Op op, Spec[] in, Spec[] out) {
    long bytes = 0;
    for (Spec s : in) if (s.type().isHalf()) bytes += wideBytes(s);
    for (int i = 0; i < out.length; i++) if (out[i].type().isHalf() && op.aliasOf(i) < 0) bytes += wideBytes(out[i]);
    return bytes;
  }

  private static long wideBytes(Spec s) {
    return Math.ceilDiv(s.as(DType.F32).bytes(), ALIGNMENT) * ALIGNMENT;
  }

  @Override public void launch() {
    for (Kernel step : steps) step.launch();
  }
}
