package org.dyr.kernels.cuda;

import static org.bytedeco.cuda.global.nvrtc.NVRTC_SUCCESS;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.dyr.device.DeviceException;

/**
 * Every function of NVRTC that is called, and none else. It compiles CUDA C++ at run time, to the machine code of one
 * architecture: a driver older than NVRTC takes that, and might not take its PTX. Optional: asked for and tried once,
 * when it is first wanted.
 */
final class Nvrtc {
  private static final String NOTHING = "extern \"C\" __global__ void nothing() {}\n";
  private static final Path MAPS = Path.of("/proc/self/maps");

  private static String version;
  private static Optional<String> failure;

  private Nvrtc() {}

  /** Why there is no compiler here; empty when there is one, and it compiles. */
  static synchronized Optional<String> unavailable() {
    if (failure == null) failure = load();
    return failure;
  }

  /** {@code 13.0}. */
  static String version() {
    if (unavailable().isPresent()) throw new IllegalStateException(unavailable().get());
    return version;
  }

  private static Optional<String> load() {
    try {
      int[] major = new int[1], minor = new int[1];
      check(nvrtc.nvrtcVersion(major, minor));
      version = major[0] + "." + minor[0];
      loadBuiltins();
      compile(NOTHING, Driver.architecture(0));
      return Optional.empty();
    } catch (LinkageError | RuntimeException | IOException e) {
      String said = String.valueOf(e.getMessage() == null ? e : e.getMessage()).lines().findFirst().orElse("");
      return Optional.of(said + (e.getCause() == null ? "" : " (" + e.getCause().getMessage() + ")"));
    }
  }

  /** The library that NVRTC opens when it first compiles: it lies beside NVRTC, where the loader does not look. */
  private static void loadBuiltins() throws IOException {
    if (!Files.isReadable(MAPS)) return;
    try (Stream<String> lines = Files.lines(MAPS, StandardCharsets.ISO_8859_1)) {
      Optional<Path> library = lines.filter(l -> l.contains("/libnvrtc.so."))
          .map(l -> Path.of(l.substring(l.indexOf('/')))).findFirst();
      library.map(l -> l.resolveSibling("libnvrtc-builtins.so." + version)).filter(Files::exists)
          .ifPresent(b -> System.load(b.toString()));
    }
  }

  /**
   * The cubin.
   *
   * @param architecture such as {@code sm_90}
   * @throws DeviceException with what the compiler says
   */
  static byte[] compile(String text, String architecture) {
    _nvrtcProgram program = new _nvrtcProgram();
    String[] options = {"--gpu-architecture=" + architecture, "--std=c++17"};
    try (BytePointer source = new BytePointer(text, StandardCharsets.UTF_8);
        BytePointer name = new BytePointer("generated.cu");
        PointerPointer<BytePointer> given = new PointerPointer<>(options); SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtc.nvrtcCreateProgram(program, source, name, 0, (PointerPointer<?>) null, (PointerPointer<?>) null));
      int status = nvrtc.nvrtcCompileProgram(program, options.length, given);
      if (status != NVRTC_SUCCESS) {
        throw new DeviceException("NVRTC %s: %s: %s".formatted(version, text(status), log(program)));
      }
      check(nvrtc.nvrtcGetCUBINSize(program, size));
      byte[] cubin = new byte[Math.toIntExact(size.get())];
      check(nvrtc.nvrtcGetCUBIN(program, cubin));
      return cubin;
    } finally {
      if (!program.isNull()) nvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static String log(_nvrtcProgram program) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtc.nvrtcGetProgramLogSize(program, size));
      byte[] log = new byte[Math.toIntExact(size.get())];
      check(nvrtc.nvrtcGetProgramLog(program, log));
      return new String(log, StandardCharsets.UTF_8).replace("\0", "").strip();
    }
  }

  private static void check(int status) {
    if (status != NVRTC_SUCCESS) throw new DeviceException("NVRTC: " + text(status));
  }

  private static String text(int status) {
    return nvrtc.nvrtcGetErrorString(status).getString();
  }
}
