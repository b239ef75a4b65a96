package org.dyr.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;

/** The loaded library, and what the preset does not bind of it: its number of threads, and what it says of itself. */
final class OpenBlasLibrary {
  private OpenBlasLibrary() {}

  /** Loads the library and keeps it from starting threads of its own. */
  static void load() {
    Loader.load(openblas_nolapack.class);
    call("openblas_set_num_threads", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), 1);
  }

  /** The processor core whose kernels it runs. */
  static String core() {
    return text("openblas_get_corename");
  }

  /** Version and build options. */
  static String config() {
    return text("openblas_get_config");
  }

  private static String text(String function) {
    MemorySegment s = (MemorySegment) call(function, FunctionDescriptor.of(ValueLayout.ADDRESS));
    return s.reinterpret(Long.MAX_VALUE, Arena.global(), null).getString(0).strip();
  }

  private static Object call(String function, FunctionDescriptor type, Object... arguments) {
    long address = Loader.addressof(function).address();
    MethodHandle handle = Linker.nativeLinker().downcallHandle(MemorySegment.ofAddress(address), type);
    try {
      return handle.invokeWithArguments(arguments);
    } catch (Throwable t) {
      throw new IllegalStateException(function + " of OpenBLAS cannot be called", t);
    }
  }
}
