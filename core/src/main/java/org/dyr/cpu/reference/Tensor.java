package org.dyr.cpu.reference;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.device.Span;
import org.dyr.tensor.DType;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/** A tensor of any type read and written as double, by flat index. */
final class Tensor {
  final Shape shape;
  final int rows;
  final int columns;
  private final DType type;
  private final MemorySegment memory;

  Tensor(Spec spec, Span span) {
    shape = spec.shape();
    rows = shape.rows();
    columns = shape.last();
    type = spec.type();
    memory = span.segment();
  }

  long size() {
    return shape.size();
  }

  double get(long i) {
    return type.get(memory, i);
  }

  void set(long i, double x) {
    type.set(memory, i, x);
  }

  /** Element (row, column) of the tensor seen as a matrix. */
  double at(long row, int column) {
    return get(row * columns + column);
  }

  int index(long i) {
    return memory.getAtIndex(ValueLayout.JAVA_INT, i);
  }

  void fill(double x) {
    for (long i = 0; i < size(); i++) set(i, x);
  }
}
