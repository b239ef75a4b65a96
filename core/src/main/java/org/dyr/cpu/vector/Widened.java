package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Floats that are added up in double: half a vector of floats widens to one whole vector of doubles. */
final class Widened {

  /** As many floats as a vector has doubles. */
  static final VectorSpecies<Float> HALF =
      VectorSpecies.of(float.class, VectorShape.forBitSize(Lanes.F.vectorBitSize() / 2));

  static final VectorSpecies<Double> D = VectorSpecies.of(double.class, Lanes.F.vectorShape());

  /** Floats a step: lanes of either species. */
  static final int COUNT = D.length();

  /** Doubles between the buffers of two workers, so that they share no cache line. */
  static final int BUFFER = 16;

  private Widened() {}

  static FloatVector load(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(HALF, memory, at, ByteOrder.nativeOrder());
  }

  static DoubleVector widen(FloatVector x) {
    return (DoubleVector) x.convertShape(VectorOperators.F2D, D, 0);
  }

  /**
   * The sum of a vector's lanes stored at index {@code at}, from the first to the last. {@code reduceLanes} leaves
   * the order open, and a result must not depend on whether the loop around it was compiled yet.
   */
  static double sum(double[] lanes, int at) {
    double sum = lanes[at];
    for (int i = 1; i < COUNT; i++) sum += lanes[at + i];
    return sum;
  }
}
