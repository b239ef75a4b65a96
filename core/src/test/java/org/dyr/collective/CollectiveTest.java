package org.dyr.collective;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import org.dyr.cpu.CpuBackend;
import org.dyr.cpu.PeakLoop;
import org.dyr.cpu.Workers;
import org.dyr.cpu.reference.Reference;
import org.dyr.device.Backend;
import org.dyr.device.Slab;
import org.dyr.device.Span;
import org.dyr.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks on threads: what they gather and add, and that none is left waiting. */
@Timeout(60)
class CollectiveTest {
  private final Backend backend = new CpuBackend(new Workers(1), List.of(new Reference()), PeakLoop.SCALAR);

  @AfterEach void close() {
    backend.close();
  }

  private static void run(int count, Consumer<Collective> task) {
    try (ThreadRanks ranks = new ThreadRanks(count)) {
      ranks.run(task);
    }
  }

  /** A span in the middle of a slab. */
  private static Span middle(Slab slab) {
    return slab.span(64, slab.bytes() - 128);
  }

  private Slab slab(long bytes) {
    return backend.allocate(bytes + 128, "test");
  }

  /** A device with memory of its own: whoever asks for its address there is told so. */
  private Backend apart() {
    return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
        (proxy, method, args) -> method.getName().equals("isHostMemory") ? false : method.invoke(backend, args));
  }

  @Test void throughHostMemoryRanksGetTheSame() {
    int count = 3, n = 3000;
    run(count, ranks -> {
      Collective through = ThroughHost.of(ranks, apart());
      assertInstanceOf(ThroughHost.class, through);
      assertSame(ranks, ThroughHost.of(ranks, backend));
      assertInstanceOf(Solo.class, through.split(ranks.rank()), "nobody to meet");
      Collective pair = through.split(ranks.rank() / 2);
      assertEquals(ranks.rank() == 2 ? 1 : 2, pair.size());
      try (Slab from = slab(4 * n); Slab sum = slab(4 * n); Slab all = slab(4L * n * count); Slab own = slab(4 * n)) {
        MemorySegment given = middle(from).segment();
        for (int i = 0; i < n; i++) given.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1000 * ranks.rank() + i);
        through.allGather(middle(from), middle(all));
        for (int i = 0; i < n * count; i++) {
          assertEquals(1000 * (i / n) + i % n, middle(all).segment().getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
        through.own(middle(all), middle(own));
        assertEquals(-1, given.mismatch(middle(own).segment()));
        through.allReduce(middle(from), middle(sum), DType.F32);
        for (int i = 0; i < n; i++) {
          assertEquals(3000 + 3 * i, middle(sum).segment().getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
        assertEquals(3, through.sum(ranks.rank()));
        String said = assertThrows(IllegalArgumentException.class, () -> through.own(middle(from), middle(sum))).getMessage();
        assertEquals("own: 12000 bytes are not the parts of 3 ranks with 12000 each", said);
      }
    });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void gatheringKeepsTheOrderOfRanks(int count) {
    run(count, ranks -> {
      assertEquals(count, ranks.size());
      int n = 5;
      try (Slab from = slab(4 * n); Slab to = slab((long) 4 * n * count)) {
        for (int round = 0; round < 100; round++) {
          MemorySegment own = middle(from).segment();
          for (int i = 0; i < n; i++) own.setAtIndex(ValueLayout.JAVA_INT, i, round + 1000 * ranks.rank() + i);
          ranks.allGather(middle(from), middle(to));
          MemorySegment all = middle(to).segment();
          for (int i = 0; i < n * count; i++) {
            assertEquals(round + 1000 * (i / n) + i % n, all.getAtIndex(ValueLayout.JAVA_INT, i));
          }
        }
        assertEquals(0, to.host().get(ValueLayout.JAVA_BYTE, 63));
        assertEquals(0, to.host().get(ValueLayout.JAVA_BYTE, to.bytes() - 64));
      }
    });
  }

  private static double[][] numbers(int ranks, int n, DType type) {
    Random random = new Random(ranks * 31L + n);
    double[][] x = new double[ranks][n];
    for (double[] row : x) for (int i = 0; i < n; i++) row[i] = random.nextGaussian() * Math.pow(10, random.nextInt(6));
    if (type == DType.F32) for (double[] row : x) for (int i = 0; i < n; i++) row[i] = (float) row[i];
    return x;
  }

  private static double get(Span s, DType type, int i) {
    return type == DType.F64 ? s.segment().getAtIndex(ValueLayout.JAVA_DOUBLE, i)
        : s.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  private static void set(Span s, DType type, int i, double x) {
    if (type == DType.F64) s.segment().setAtIndex(ValueLayout.JAVA_DOUBLE, i, x);
    else s.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x);
  }

  /** The sum in the order of ranks, in the type's own arithmetic: nothing else has these bits. */
  private static double sum(double[][] x, DType type, int i) {
    double sum = x[0][i];
    for (int r = 1; r < x.length; r++) sum = type == DType.F64 ? sum + x[r][i] : (float) sum + (float) x[r][i];
    return sum;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void addingGivesEveryRankTheSameBits(int count) {
    for (DType type : List.of(DType.F32, DType.F64)) {
      for (int n : new int[] {0, 1, 17, 2049, 50_003}) {
        double[][] x = numbers(count, n, type);
        run(count, ranks -> {
          try (Slab from = slab((long) n * type.bytes()); Slab to = slab((long) n * type.bytes())) {
            for (int i = 0; i < n; i++) set(middle(from), type, i, x[ranks.rank()][i]);
            ranks.allReduce(middle(from), middle(to), type);
            for (int i = 0; i < n; i++) {
              assertEquals(sum(x, type, i), get(middle(to), type, i), 0, "element " + i);
              assertEquals(x[ranks.rank()][i], get(middle(from), type, i), 0, "what was given, element " + i);
            }
          }
        });
      }
    }
  }

  @Test void ranksMayShareWhereTheyAdd() {
    int n = 10_001;
    double[][] x = numbers(4, n, DType.F32);
    try (Slab shared = slab((long) 4 * n)) {
      run(4, ranks -> {
        try (Slab own = slab((long) 4 * n)) {
          Span from = middle(ranks.rank() == 0 ? shared : own);
          for (int i = 0; i < n; i++) set(from, DType.F32, i, x[ranks.rank()][i]);
          ranks.allReduce(from, middle(shared), DType.F32);
          for (int i = 0; i < n; i++) assertEquals(sum(x, DType.F32, i), get(middle(shared), DType.F32, i), 0);
        }
      });
    }
  }

  @Test void partsMeetByThemselvesAndTogether() {
    run(6, ranks -> {
      int r = ranks.rank();
      Collective run = ranks.split(r / 3), stride = ranks.split(r % 3), alone = ranks.split(r);
      assertEquals(List.of(3, 2, 1), List.of(run.size(), stride.size(), alone.size()));
      assertEquals(List.of(r % 3, r / 3, 0), List.of(run.rank(), stride.rank(), alone.rank()));
      for (int round = 0; round < 50; round++) {
        assertEquals(r < 3 ? 3 : 12, run.sum(r));
        if (r < 3) assertEquals(3, run.sum(r), "one part may meet more often");
        assertEquals(2 * (r % 3) + 3, stride.sum(r));
        assertEquals(r, alone.sum(r));
        assertEquals(15, ranks.sum(r));
      }
    });
  }

  @Test void theFirstFailureIsWhatTheCallerGetsAndNobodyWaits() {
    for (int bad = 0; bad < 4; bad++) {
      int failing = bad;
      try (ThreadRanks ranks = new ThreadRanks(4)) {
        Collective[] halves = new Collective[4];
        ranks.run(r -> halves[r.rank()] = r.split(r.rank() / 2));
        AtomicReferenceArray<Throwable> seen = new AtomicReferenceArray<>(4);
        IllegalStateException mine = new IllegalStateException("no memory");
        assertSame(mine, assertThrows(IllegalStateException.class, () -> ranks.run(r -> {
          if (r.rank() == failing) throw mine;
          seen.set(r.rank(), assertThrows(BrokenMeetingException.class, () -> {
            if (r.rank() / 2 == failing / 2) halves[r.rank()].sum(1);
            r.sum(1);
          }));
          throw new BrokenMeetingException(mine);
        })));
        assertEquals(0, mine.getSuppressed().length);
        for (int r = 0; r < 4; r++) {
          if (r != failing) assertSame(mine, assertInstanceOf(BrokenMeetingException.class, seen.get(r)).getCause());
        }
        ranks.run(r -> {
          assertEquals(2, halves[r.rank()].sum(1));
          assertEquals(4, r.sum(1));
        });
      }
    }
  }

  @Test void nobodyWaitsForARankThatHasEnded() {
    try (ThreadRanks ranks = new ThreadRanks(3)) {
      for (int early = 0; early < 3; early++) {
        int ends = early;
        Exception e = assertThrows(IllegalStateException.class, () -> ranks.run(r -> {
          Collective all = r.split(7);
          if (r.rank() != ends) all.sum(1);
        }));
        assertEquals("rank %d has ended while others wait for it".formatted(ends), e.getMessage());
      }
      ranks.run(r -> assertEquals(3, r.sum(1)));
    }
  }

  @Test void otherFailuresAreKeptWithTheFirst() {
    try (ThreadRanks ranks = new ThreadRanks(2)) {
      RuntimeException e = assertThrows(RuntimeException.class, () -> ranks.run(r -> {
        r.sum(0);
        throw new IllegalStateException("of rank " + r.rank());
      }));
      assertEquals(1, e.getSuppressed().length);
      assertFalse(e.getMessage().equals(e.getSuppressed()[0].getMessage()));
      assertThrows(StackOverflowError.class, () -> ranks.run(r -> {
        throw new StackOverflowError();
      }));
    }
  }

  @Test void sizesThatDoNotFitAreRefused() {
    try (Slab slab = backend.allocate(64, "test")) {
      for (int count : new int[] {1, 2}) {
        assertThrows(IllegalArgumentException.class,
            () -> run(count, r -> r.allGather(slab.span(0, 8), slab.span(0, 8L * count + 4))));
        assertThrows(IllegalArgumentException.class,
            () -> run(count, r -> r.allReduce(slab.span(0, 8), slab.span(0, 12), DType.F32)));
        assertThrows(IllegalArgumentException.class,
            () -> run(count, r -> r.allReduce(slab.span(0, 8), slab.span(0, 8), DType.BF16)));
      }
      String message = assertThrows(IllegalArgumentException.class,
          () -> run(2, r -> r.allReduce(slab.span(0, 8 + 8 * r.rank()), slab.span(0, 8 + 8 * r.rank()), DType.F64)))
          .getMessage();
      assertTrue(message.matches("rank (0 gives 8 bytes, rank 1 gives 16|1 gives 16 bytes, rank 0 gives 8)"), message);
    }
  }

  @Test void anInterruptIsKeptForWhoeverWaitsNext() {
    try (ThreadRanks ranks = new ThreadRanks(3)) {
      Thread.currentThread().interrupt();
      double[] sums = new double[3];
      ranks.run(r -> sums[r.rank()] = r.sum(1));
      assertTrue(Thread.interrupted());
      assertArrayEquals(new double[] {3, 3, 3}, sums);
    }
  }

  @Test void threadsEndOnClose() {
    long before = threads();
    ThreadRanks ranks = new ThreadRanks(3);
    assertEquals(before + 2, threads());
    ranks.close();
    ranks.close();
    assertEquals(before, threads());
    assertThrows(IllegalStateException.class, () -> ranks.run(r -> {}));
    assertThrows(IllegalArgumentException.class, () -> new ThreadRanks(0).close());
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("dyr-rank")).count();
  }
}
