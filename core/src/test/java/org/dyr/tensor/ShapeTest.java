package org.dyr.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {

  @Test void countsElementsRowsAndColumns() {
    Shape s = Shape.of(2, 3, 5);
    assertEquals(30, s.size());
    assertEquals(3, s.rank());
    assertEquals(6, s.rows());
    assertEquals(5, s.last());
    assertEquals(5, s.dim(-1));
    assertEquals(2, s.dim(0));
    assertEquals("(2,3,5)", s.toString());
  }

  @Test void aVectorIsOneRow() {
    assertEquals(1, Shape.of(7).rows());
    assertEquals(7, Shape.of(7).last());
  }

  @Test void anAxisMayBeEmpty() {
    assertEquals(0, Shape.of(0, 768).size());
  }

  @Test void equalSizesAreEqualShapes() {
    assertEquals(Shape.of(2, 3), Shape.of(2, 3));
    assertEquals(Shape.of(2, 3).hashCode(), Shape.of(2, 3).hashCode());
    assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
    assertNotEquals(Shape.of(6), Shape.of(1, 6));
  }

  @Test void isNotChangedThroughItsArrays() {
    int[] dims = {2, 3};
    Shape s = Shape.of(dims);
    dims[0] = 9;
    s.dims()[1] = 9;
    assertArrayEquals(new int[] {2, 3}, s.dims());
  }

  @Test void refusesNegativeSizesAndNoAxis() {
    String message = assertThrows(ShapeException.class, () -> Shape.of(3, -1)).getMessage();
    assertTrue(message.contains("[3, -1]") && message.contains("negative"), message);
    assertThrows(ShapeException.class, Shape::of);
  }

  @Test void doesNotOverflow() {
    assertThrows(ArithmeticException.class, () -> Shape.of(Integer.MAX_VALUE, Integer.MAX_VALUE, 4));
    assertEquals(1L << 40, Shape.of(1 << 20, 1 << 20).size());
  }

  @Test void aSpecKnowsItsBytes() {
    assertEquals(48, Spec.of(DType.F64, 2, 3).bytes());
    assertEquals(12, Spec.of(DType.BF16, 2, 3).bytes());
    assertEquals("f32(2,3)", Spec.of(DType.F32, 2, 3).toString());
  }
}
