package org.dyr.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Anonymous mappings that ask for transparent huge pages before they are touched. A matrix product walks through
 * megabytes: with pages of 4 KiB it waits for the TLB. The pages are zero, and each comes from the thread that touches
 * it first.
 */
final class HugePages {
  static final long SIZE = 2L << 20;

  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
  private static final int MADV_HUGEPAGE = 14;

  private static final MethodHandle MMAP = find("mmap", FunctionDescriptor.of(ValueLayout.JAVA_LONG,
      ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
      ValueLayout.JAVA_LONG));
  private static final MethodHandle MUNMAP = find("munmap",
      FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
  private static final MethodHandle MADVISE = find("madvise", FunctionDescriptor.of(
      ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));

  private HugePages() {}

  /** The constants above are Linux's. */
  private static MethodHandle find(String function, FunctionDescriptor type) {
    if (!System.getProperty("os.name", "").equals("Linux")) return null;
    Linker linker = Linker.nativeLinker();
    return linker.defaultLookup().find(function).map(f -> linker.downcallHandle(f, type)).orElse(null);
  }

  static boolean available() {
    return MMAP != null && MUNMAP != null && MADVISE != null;
  }

  /** Maps memory that begins at a huge page and lives as long as the arena. */
  static MemorySegment map(long bytes, Arena arena) {
    long length = bytes + SIZE;
    try {
      long address = (long) MMAP.invokeExact(0L, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
      if (address == -1) throw new OutOfMemoryError("mmap of " + length + " bytes failed");
      long aligned = Math.ceilDiv(address, SIZE) * SIZE;
      // Refused advice costs speed only.
      int advised = (int) MADVISE.invokeExact(aligned, bytes, MADV_HUGEPAGE);
      return MemorySegment.ofAddress(aligned).reinterpret(bytes, arena, m -> unmap(address, length));
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable t) {
      throw new IllegalStateException("mmap could not be called", t);
    }
  }

  private static void unmap(long address, long length) {
    try {
      int status = (int) MUNMAP.invokeExact(address, length);
      if (status != 0) throw new IllegalStateException("munmap of %d bytes failed".formatted(length));
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable t) {
      throw new IllegalStateException("munmap could not be called", t);
    }
  }
}
