package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.dyr.cpu.Workers;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Against a plain loop in double, at every edge of tile, panel and block, with guards around all that is written. */
final class SgemmTest {

  private static final int[] SIZES = {1, 5, 6, 7, 31, 33, 63, 64, 65, 127};
  private static final int GUARD = 64; // floats before and after
  private static final int MARK = 0x7fc0_dead; // a NaN: whatever is read by mistake shows

  private static final Workers[] POOLS = {new Workers(1), new Workers(2), new Workers(3)};

  @AfterAll static void close() {
    for (Workers w : POOLS) w.close();
  }

  private enum Residual { NONE, OTHER, SELF }

  @Test void edgesOfTheTileInAllLayouts() {
    Random random = new Random(1);
    for (int i = 0; i < 2 * SIZES.length * SIZES.length; i++) {
      int row = i % SIZES.length;
      int column = i / SIZES.length % SIZES.length;
      int k = SIZES[random.nextInt(SIZES.length)];
      int layout = (row + column + i / (SIZES.length * SIZES.length)) % 4; // each pair in two, each size in all four
      check(SIZES[row], SIZES[column], k, layout, random.nextInt(3), random.nextBoolean(),
          Residual.values()[random.nextInt(3)], random);
    }
  }

  @Test void edgesOfTheBlocks() {
    Random random = new Random(2);
    for (int layout = 0; layout < 4; layout++) {
      for (Residual residual : Residual.values()) {
        check(13, 70, 1601, layout, 1, true, residual, random); // three blocks of k, the last one shorter
        check(1536 + 7, 5, 3, layout, 0, true, residual, random); // two blocks of rows
        check(7, 3072 + 65, 9, layout, 3, true, residual, random); // two blocks of columns
      }
    }
  }

  /** They are left to the plain loops. */
  @Test void productsOverNothingAreNotTaken() {
    VectorKernels set = new VectorKernels(POOLS[0]);
    for (int[] s : new int[][] {{0, 3, 4}, {2, 0, 4}, {2, 3, 0}}) {
      Spec a = Spec.of(DType.F32, s[0], s[2]), b = Spec.of(DType.F32, s[1], s[2]), bias = Spec.of(DType.F32, s[1]);
      assertFalse(set.supports(new MatMul(false, true), new Spec[] {a, b}));
      assertFalse(set.supports(new Gemm(false, true, true, false, false), new Spec[] {a, b, bias}));
    }
  }

  @Test void aFewRowsOfAClassifier() {
    Random random = new Random(3);
    for (int layout = 0; layout < 4; layout++) {
      check(8, 1, 768, layout, 0, true, Residual.NONE, random);
      check(8, 768, 1, layout, 0, false, Residual.SELF, random);
      check(1, 768, 8, layout, 0, false, Residual.OTHER, random);
      check(8, 768, 768, layout, 0, true, Residual.NONE, random);
    }
  }

  private static void check(int m, int n, int k, int layout, int gap, boolean bias, Residual residual, Random random) {
    boolean ta = (layout & 1) != 0;
    boolean tb = (layout & 2) != 0;
    int lda = (ta ? m : k) + gap;
    int ldb = (tb ? k : n) + 2 * gap;
    int ldc = n + 3 * gap;
    int ldr = residual == Residual.SELF ? ldc : n + gap;
    Product size = new Product(m, n, k, ta, tb, lda, ldb, ldc, ldr);
    String at = "%s bias %s residual %s".formatted(size, bias, residual);
    float[] av = values((ta ? k : m) * lda, random);
    float[] bv = values((tb ? n : k) * ldb, random);
    float[] bias1 = values(n, random);
    float[] rv = values(m * ldr, random);
    int[] first = null;
    for (Workers workers : POOLS) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment c = guarded(arena, (m - 1) * ldc + n);
        MemorySegment r = switch (residual) {
          case NONE -> null;
          case OTHER -> copy(arena, rv, (m - 1) * ldr + n);
          case SELF -> inner(c);
        };
        if (residual == Residual.SELF) fill(inner(c), rv, m, n, ldr);
        MemorySegment scratch = guarded(arena, Math.toIntExact(Sgemm.scratchBytes(size, workers.count()) / 4));
        new Sgemm(size, copy(arena, av, ((ta ? k : m) - 1) * lda + (ta ? m : k)),
            copy(arena, bv, ((tb ? n : k) - 1) * ldb + (tb ? k : n)), inner(c), bias ? copy(arena, bias1, n) : null, r,
            inner(scratch), workers).run();
        intact(scratch, at + " scratch");
        intact(c, at + " c");
        int[] got = inner(c).toArray(JAVA_INT);
        if (first == null) {
          first = got;
          for (int i = 0; i < m; i++) {
            for (int j = n; j < ldc && i < m - 1; j++) assertEquals(MARK, got[i * ldc + j], at + ": gap overwritten");
            for (int j = 0; j < n; j++) {
              double sum = (bias ? bias1[j] : 0) + (residual == Residual.NONE ? 0 : rv[i * ldr + j]);
              double size1 = Math.abs(sum);
              for (int s = 0; s < k; s++) {
                double term = (double) av[ta ? s * lda + i : i * lda + s] * bv[tb ? j * ldb + s : s * ldb + j];
                sum += term;
                size1 += Math.abs(term);
              }
              float f = Float.intBitsToFloat(got[i * ldc + j]);
              assertTrue(Math.abs(f - sum) <= 1e-6 * Math.sqrt(k) + 1e-6 * size1, at + " at " + i + "," + j
                  + ": " + f + ", expected " + sum);
            }
          }
        } else {
          assertArrayEquals(first, got, at + " workers " + workers.count());
        }
      }
    }
  }

  @Test void runningAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Workers workers = POOLS[1];
    long[] ids = workers.threadIds();
    try (Arena arena = Arena.ofShared()) {
      Sgemm[] products = new Sgemm[4];
      for (int layout = 0; layout < 4; layout++) {
        Product size = Product.of(48, 100, 40, (layout & 1) != 0, (layout & 2) != 0);
        products[layout] = new Sgemm(size, arena.allocate(4 * 48 * 40), arena.allocate(4 * 100 * 40),
            arena.allocate(4 * 48 * 100), arena.allocate(4 * 100), null,
            arena.allocate(Sgemm.scratchBytes(size, workers.count())), workers);
      }
      // Until the optimizing compiler is done, vectors are objects; from then on there must be none.
      long deadline = System.nanoTime() + 120_000_000_000L;
      long bytes;
      do {
        long before = allocated(threads, ids);
        for (int i = 0; i < 1000; i++) products[i % 4].run();
        bytes = allocated(threads, ids) - before;
      } while (bytes != 0 && System.nanoTime() < deadline);
      assertEquals(0, bytes, "bytes allocated by 1000 runs");
    }
  }

  private static long allocated(ThreadMXBean threads, long[] ids) {
    long sum = threads.getCurrentThreadAllocatedBytes();
    for (long id : ids) sum += threads.getThreadAllocatedBytes(id);
    return sum;
  }

  @Test void refusesWhatDoesNotFit() {
    assertThrows(IllegalArgumentException.class, () -> Product.of(0, 1, 1, false, false));
    assertThrows(IllegalArgumentException.class, () -> new Product(2, 3, 4, false, false, 3, 3, 3, 3));
    Product size = Product.of(2, 3, 4, false, false);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ok = arena.allocate(Sgemm.scratchBytes(size, 1), 64);
      MemorySegment small = arena.allocate(20, 4);
      MemorySegment heap = MemorySegment.ofArray(new float[64]);
      Throwable a = assertThrows(IllegalArgumentException.class,
          () -> new Sgemm(size, small, ok, ok, null, null, ok, POOLS[0]));
      assertTrue(a.getMessage().contains("a: 20 bytes, needs 32"), a.getMessage());
      Throwable c = assertThrows(IllegalArgumentException.class,
          () -> new Sgemm(size, ok, ok, heap, null, null, ok, POOLS[0]));
      assertTrue(c.getMessage().contains("c: must be native"), c.getMessage());
      assertThrows(IllegalArgumentException.class, () -> new Sgemm(size, ok, ok, ok, null, null, small, POOLS[0]));
    }
  }

  private static float[] values(int count, Random random) {
    float[] v = new float[count];
    for (int i = 0; i < count; i++) v[i] = random.nextFloat() * 2 - 1;
    return v;
  }

  /** Exactly {@code count} floats; what lies before and after is NaN. */
  private static MemorySegment copy(Arena arena, float[] v, int count) {
    MemorySegment s = inner(guarded(arena, count));
    MemorySegment.copy(v, 0, s, JAVA_FLOAT, 0, count);
    return s;
  }

  private static MemorySegment guarded(Arena arena, int count) {
    MemorySegment s = arena.allocate(4L * (count + 2 * GUARD), 64);
    for (int i = 0; i < count + 2 * GUARD; i++) s.setAtIndex(JAVA_INT, i, MARK);
    return s;
  }

  private static MemorySegment inner(MemorySegment s) {
    return s.asSlice(4 * GUARD, s.byteSize() - 8 * GUARD);
  }

  private static void intact(MemorySegment s, String what) {
    long end = s.byteSize() / 4;
    for (int i = 0; i < GUARD; i++) {
      assertEquals(MARK, s.getAtIndex(JAVA_INT, i), what + ": written before its start");
      assertEquals(MARK, s.getAtIndex(JAVA_INT, end - 1 - i), what + ": written beyond its end");
    }
  }

  private static void fill(MemorySegment c, float[] v, int m, int n, int stride) {
    for (int i = 0; i < m; i++) MemorySegment.copy(v, i * stride, c, JAVA_FLOAT, 4L * i * stride, n);
  }
}
