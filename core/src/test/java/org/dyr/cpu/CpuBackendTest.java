package org.dyr.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.dyr.device.Slab;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuBackendTest {
  private static final int OFFSET = 64;

  /** Small and large; what only the caller may read, and what all threads may. */
  @ParameterizedTest
  @ValueSource(ints = {5, (1 << 20) - 1, (1 << 20) + 13, 3 << 20})
  void uploadsEveryByteAndNoMore(int bytes) {
    try (CpuBackend cpu = new CpuBackend(new Workers(3), List.of(), PeakLoop.SCALAR);
        Arena confined = Arena.ofConfined(); Arena shared = Arena.ofShared()) {
      for (MemorySegment from : List.of(confined.allocate(bytes), shared.allocate(bytes),
          MemorySegment.ofArray(new byte[bytes]))) {
        for (int i = 0; i < bytes; i++) from.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + 7));
        try (Slab slab = cpu.allocate(OFFSET + bytes + OFFSET, "test")) {
          cpu.upload(from, bytes, slab.span(OFFSET, bytes + OFFSET));
          assertEquals(-1, from.mismatch(slab.host().asSlice(OFFSET, bytes)));
          for (int i = 0; i < OFFSET; i++) {
            assertEquals(0, slab.host().get(ValueLayout.JAVA_BYTE, i));
            assertEquals(0, slab.host().get(ValueLayout.JAVA_BYTE, OFFSET + bytes + i));
          }
        }
      }
    }
  }

  /** Where the end does not fit 64 bits either. */
  @Test
  void aSpanLiesWithinItsSlab() {
    try (CpuBackend cpu = new CpuBackend(new Workers(1), List.of(), PeakLoop.SCALAR);
        Slab slab = cpu.allocate(64, "test")) {
      assertThrows(IndexOutOfBoundsException.class, () -> slab.span(8, 57));
      assertThrows(IndexOutOfBoundsException.class, () -> slab.span(8, Long.MAX_VALUE));
      assertThrows(IndexOutOfBoundsException.class, () -> slab.span(0, 64).slice(8, 57));
      assertThrows(IndexOutOfBoundsException.class, () -> slab.span(0, 64).slice(8, Long.MAX_VALUE));
      assertThrows(IndexOutOfBoundsException.class, () -> slab.span(0, 64).slice(8, -1));
    }
  }

  @Test
  void aBatchThatKeepsAllBusyGrowsWithTheWorkers() {
    try (CpuBackend one = new CpuBackend(new Workers(1), List.of(), PeakLoop.SCALAR);
        CpuBackend three = new CpuBackend(new Workers(3), List.of(), PeakLoop.SCALAR)) {
      assertEquals(3 * one.batchTokens(), three.batchTokens());
    }
  }
}
