package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.ints;
import static org.dyr.cpu.vector.Operation.random;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Random;
import org.dyr.op.Gather;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows out of a table, and back with sums in the order of rows: equal to the plain loops to the last bit. */
class GatherKernelsTest {

  @ParameterizedTest
  @CsvSource({"1,1,1", "2,768,40", "5,33,7", "300,31,200", "97,128,500", "7,5,0"})
  void rowsAreTheTablesOwn(int table, int columns, int rows) {
    Gather op = new Gather();
    for (int threads = 1; threads <= 3; threads++) {
      try (Operation o = new Operation(threads, op, 0, floats(table, columns), ints(rows))) {
        o.set(0, random(1, table * columns, 1)).set(1, indices(table, rows)).reference();
        float[] expected = o.output(0);
        o.run((p, w) -> new GatherKernel(op, p, w));
        assertArrayEquals(expected, o.output(0));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,1,1", "2,768,40", "5,33,7", "300,31,300", "97,128,500", "7,5,0", "1000,17,900", "3,15,4000"})
  void gradientAddsRepeatedRowsInOrder(int table, int columns, int rows) {
    Gather.Grad op = new Gather.Grad(table);
    for (int threads = 1; threads <= 3; threads++) {
      try (Operation o = new Operation(threads, op, 0, floats(rows, columns), ints(rows))) {
        float[] dy = random(2, rows * columns, 1), expected = new float[table * columns];
        int[] index = indices(table, rows);
        for (int i = 0; i < dy.length; i++) expected[index[i / columns] * columns + i % columns] += dy[i];
        o.set(0, dy).set(1, index).run((p, w) -> new GatherGradKernel(op, p, w));
        assertArrayEquals(expected, o.output(0));
      }
    }
  }

  /** Half of them fall on the first rows. */
  private static int[] indices(int table, int rows) {
    Random r = new Random(3);
    int[] index = new int[rows];
    for (int i = 0; i < rows; i++) index[i] = r.nextInt(r.nextBoolean() ? table : Math.min(table, 3));
    return index;
  }
}
