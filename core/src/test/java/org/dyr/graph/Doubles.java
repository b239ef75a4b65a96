package org.dyr.graph;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** The plain loops on f64, and its elements in and out, for the tests of this package. */
final class Doubles {
  private Doubles() {}

  static Backend cpu() {
    return new CpuBackend(new Workers(1), List.of(new Reference()), PeakLoop.SCALAR);
  }

  static Spec f64(int... dims) {
    return Spec.of(DType.F64, dims);
  }

  static Span put(Slab slab, long offset, double... x) {
    Span span = slab.span(offset, 8L * x.length);
    MemorySegment.copy(x, 0, span.segment(), ValueLayout.JAVA_DOUBLE, 0, x.length);
    return span;
  }

  static double[] get(Span span) {
    return span.segment().toArray(ValueLayout.JAVA_DOUBLE);
  }

  static void write(Program program, String input, double... x) {
    program.write(input, MemorySegment.ofArray(x));
  }

  static double[] read(Program program, String output, int elements) {
    double[] x = new double[elements];
    program.read(output, MemorySegment.ofArray(x));
    return x;
  }
}
