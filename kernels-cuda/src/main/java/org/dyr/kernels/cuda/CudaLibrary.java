package org.dyr.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.Loader;
import org.dyr.device.JavaCppLimits;

/** Loads our kernels: those for a card, or, where {@value #EMULATOR} names the folder of the build, the emulated ones. */
final class CudaLibrary {
  /** A system property: the folder with the stand-ins for NVIDIA's libraries and the kernels over them. */
  static final String EMULATOR = "dyr.cuda.emulator";

  private static final String PLATFORM = "linux-x86_64";

  /** The resource that has the library's name: see CudaBuild. */
  private static final String NAME = PLATFORM + "/name";

  /** The one that may be missing. */
  private static final String NVRTC = "libnvrtc.so.13";

  /** In the order in which they need each other. */
  private static final List<String> STAND_INS = List.of("libcuda.so.1", "libcudart.so.13", "libcublas.so.13",
      "libcublasLt.so.13", NVRTC, "libjniCudaCalls.so");

  /** What the system's loader says of a library that another one needs. */
  private static final Pattern MISSING = Pattern.compile("(lib\\w+\\.so[.\\d]*): cannot open shared object file");

  private static Optional<String> failure;

  private CudaLibrary() {}

  /** Whether the kernels run on the processor. */
  static boolean isEmulated() {
    return !System.getProperty(EMULATOR, "").isEmpty();
  }

  /** Why there is no device, no driver or no library here; empty when all are. Tried once. */
  static synchronized Optional<String> unavailable() {
    if (failure == null) failure = load();
    return failure;
  }

  private static Optional<String> load() {
    JavaCppLimits.lift();
    try {
      if (isEmulated()) {
        Optional<String> why = loadEmulator(Path.of(System.getProperty(EMULATOR)).toAbsolutePath());
        if (why.isEmpty()) Blas.version();
        return why;
      }
      Optional<String> why = CudaProbe.unavailable();
      if (why.isPresent()) return why;
      if (!Loader.Detector.getPlatform().equals(PLATFORM)) {
        return Optional.of("there are kernels for %s only, this is %s".formatted(PLATFORM, Loader.Detector.getPlatform()));
      }
      if (CudaCalls.class.getResource(NAME) == null) return Optional.of("built without nvcc 13.0 or newer");
      loadKernels();
      if (!Driver.runsOurKernels(0)) {
        return Optional.of("the card is %s, and the kernels need sm_80 or later".formatted(Driver.architecture(0)));
      }
      Blas.version(); // cuBLASLt, which comes with the toolkit, is found or missed here
      return Optional.empty();
    } catch (LinkageError | RuntimeException e) {
      return Optional.of(reason(e));
    }
  }

  private static String reason(Throwable e) {
    String said = String.valueOf(e.getMessage() == null ? e : e.getMessage()).lines().findFirst().orElse("");
    if (e.getCause() == null) return "the library does not load: " + said;
    String cause = String.valueOf(e.getCause().getMessage());
    Matcher missing = MISSING.matcher(cause);
    if (!missing.find()) return "the library does not load: %s (%s)".formatted(said, cause);
    return missing.group(1)
        + " is not found: it is of CUDA's toolkit or of Python's wheels, whose folder LD_LIBRARY_PATH names";
  }

  private static Optional<String> loadEmulator(Path folder) {
    for (String library : STAND_INS) {
      Path file = folder.resolve(library);
      if (library.equals(NVRTC) && !Files.exists(file)) continue;
      if (!Files.exists(file)) {
        return Optional.of("%s names %s, where there is no %s".formatted(EMULATOR, folder, library));
      }
      System.load(file.toString());
    }
    return CudaProbe.unavailable();
  }

  private static void loadKernels() {
    try (InputStream resource = CudaCalls.class.getResourceAsStream(NAME)) {
      String name = new String(resource.readAllBytes(), StandardCharsets.UTF_8);
      ClassProperties properties = Loader.loadProperties(CudaCalls.class, Loader.loadProperties(), false);
      Loader.loadLibrary(CudaCalls.class, Loader.findLibrary(CudaCalls.class, properties, name, false), name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
