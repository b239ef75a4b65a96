package org.dyr.benchmarks.peers;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dyr.benchmarks.peers.Job.Mode;
import org.dyr.benchmarks.peers.Job.Precision;

/** An engine in a precision. */
record Contestant(Kind kind, Precision precision) {

  /** An engine: what starts it, and the settings in which it may be fastest. */
  enum Kind {
    OURS("DYR", "org.dyr.benchmarks.peers.Own", List.of("auto"),
        List.of("-XX:+UseSerialGC", "-Xms64m", "--add-modules=jdk.incubator.vector")),
    TORCH("libtorch 2.13", "org.dyr.peers.Torch", List.of("sdpa", "plain"),
        List.of("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-Dorg.bytedeco.javacpp.maxBytes=0")),
    ONNX("ONNX Runtime 1.29", "org.dyr.peers.Onnx", List.of("MULTI_HEAD", "ATTENTION", "STANDARD"), List.of());

    final String title;
    final String main;
    final List<String> variants;
    final List<String> flags;

    Kind(String title, String main, List<String> variants, List<String> flags) {
      this.title = title;
      this.main = main;
      this.variants = variants;
      this.flags = flags;
    }
  }

  /** A process's environment, with a name for the table. */
  record Surroundings(String name, Map<String, String> variables) {}

  /** What everybody's numbers are compared with. */
  static final Contestant OURS = new Contestant(Kind.OURS, Precision.F32);

  /** Where the user has an OpenBLAS that shares libtorch's threads: the path of its {@code libopenblas.so.0}. */
  static final String BLAS = "DYR_PEER_BLAS";

  /** All who do such work, ours first. */
  static List<Contestant> in(Mode mode) {
    List<Contestant> all = new ArrayList<>();
    for (Precision p : List.of(Precision.F32, Precision.BF16)) all.add(new Contestant(Kind.OURS, p));
    for (Precision p : List.of(Precision.F32, Precision.BF16)) all.add(new Contestant(Kind.TORCH, p));
    if (mode == Mode.TRAIN) return all;
    for (Precision p : List.of(Precision.F32, Precision.INT8)) all.add(new Contestant(Kind.ONNX, p));
    return all;
  }

  boolean ours() {
    return kind == Kind.OURS;
  }

  @Override public String toString() {
    return kind.title + " " + precision;
  }

  /** What it can be asked for, the usually fastest first. */
  List<String> variants() {
    return precision == Precision.INT8 ? List.of("INT8") : kind.variants;
  }

  /**
   * The environments to try. libtorch's OpenMP threads and OpenBLAS's own threads disturb each other as they come; they
   * do not where threads that wait sleep, or where an OpenBLAS is preloaded that uses OpenMP too. Freed memory is kept,
   * as allocators that are often preloaded do. Debian's OpenBLAS 0.3.21 does not know recent processors and is also
   * tried as if on one it knows.
   *
   * @param blas such an OpenBLAS, or null
   */
  List<Surroundings> surroundings(int threads, String blas) {
    if (kind != Kind.TORCH) return List.of(new Surroundings("", Map.of()));
    String count = String.valueOf(threads);
    Map<String, String> plain = Map.of("OMP_NUM_THREADS", count, "OPENBLAS_NUM_THREADS", count);
    Map<String, String> kept = with(plain, "MALLOC_MMAP_THRESHOLD_", "17179869184", "MALLOC_TRIM_THRESHOLD_",
        "17179869184", "MALLOC_TOP_PAD_", "268435456", "MALLOC_ARENA_MAX", "1");
    List<Surroundings> all = new ArrayList<>();
    all.add(new Surroundings("as it comes", plain));
    all.add(new Surroundings("threads sleep",
        with(kept, "OMP_WAIT_POLICY", "PASSIVE", "OPENBLAS_THREAD_TIMEOUT", "4")));
    if (blas != null) {
      Path folder = Path.of(blas).toAbsolutePath().getParent();
      Map<String, String> openMp = with(kept, "OMP_WAIT_POLICY", "ACTIVE", "LD_PRELOAD", blas, "LD_LIBRARY_PATH",
          folder + ":" + folder.getParent());
      all.add(new Surroundings("OpenMP BLAS", openMp));
      all.add(new Surroundings("OpenMP SkylakeX BLAS", with(openMp, "OPENBLAS_CORETYPE", "SkylakeX")));
    }
    return all;
  }

  private static Map<String, String> with(Map<String, String> map, String... more) {
    Map<String, String> all = new LinkedHashMap<>(map);
    for (int i = 0; i < more.length; i += 2) all.put(more[i], more[i + 1]);
    return all;
  }
}
