package org.dyr.kernels.cuda;

import org.dyr.device.Operands;
import org.dyr.tensor.DType;

/** An op's operands as native calls want them, and the stream that they go to. */
record Binding(Operands operands, long stream) {

  /** The storage type of the first input. */
  int type() {
    return number(operands.in()[0].type());
  }

  /** The number by which native code knows a storage type. */
  static int number(DType type) {
    return switch (type) {
      case F32 -> 0;
      case BF16 -> 1;
      case F16 -> 2;
      case F64, I32 -> throw new IllegalArgumentException("no CUDA kernel stores " + type);
    };
  }

  /** The address of an input. */
  long in(int i) {
    return operands.inputs()[i].address();
  }

  /** The address of an output. */
  long out(int i) {
    return operands.outputs()[i].address();
  }

  long scratch() {
    return operands.scratch().address();
  }

  /** Elements of the first input. */
  long size() {
    return operands.in()[0].shape().size();
  }

  /** Rows of the first input. */
  int rows() {
    return operands.in()[0].shape().rows();
  }

  /** The last axis of the first input. */
  int columns() {
    return operands.in()[0].shape().last();
  }
}
