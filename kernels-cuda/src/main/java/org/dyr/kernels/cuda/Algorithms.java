package org.dyr.kernels.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.OutOfDeviceMemory;

/**
 * The algorithm for a product: of those that cuBLASLt proposes the fastest, measured once on memory of its own and then
 * known, in this process and, through {@link AlgorithmFile}, in the next; of processes that measure at the same time
 * all go on with the first one's. Some round a sum to 16 bits before they add
 * its bias: where there is one, none is chosen that a {@link Trial} has not found right.
 */
final class Algorithms {
  private final cublasLtContext handle;
  private final CUstream_st stream;
  private final Object lock;
  private final int most;
  private final AlgorithmFile file;
  private final Map<Product, List<Blas.Algorithm>> proposed = new HashMap<>();
  private final Map<Product, Optional<Blas.Algorithm>> chosen = new HashMap<>();

  /**
   * @param lock what every user of the stream holds: measurements must not come between kernels that are recorded
   * @param most how many proposals are tried; of one nothing is measured or kept
   */
  Algorithms(cublasLtContext handle, CUstream_st stream, Object lock, int most, AlgorithmFile file) {
    this.handle = handle;
    this.stream = stream;
    this.lock = lock;
    this.most = most;
    this.file = file;
  }

  /** Whether the library has an algorithm. */
  boolean has(Product product) {
    synchronized (lock) {
      return !proposals(product).isEmpty();
    }
  }

  private List<Blas.Algorithm> proposals(Product product) {
    return proposed.computeIfAbsent(product, p -> {
      try (Descriptors d = Descriptors.of(p)) {
        return Blas.algorithms(handle, d, most);
      }
    });
  }

  /**
   * Empty where the library has none, or none that rounds once. The same whenever it is asked for.
   *
   * @throws OutOfDeviceMemory where there is no room to try them in. Another way would do, but not the one that a run is
   *     to repeat; once there is room, it is asked for again.
   */
  Optional<Blas.Algorithm> choose(Product product) {
    synchronized (lock) {
      return chosen.computeIfAbsent(product, this::first);
    }
  }

  private Optional<Blas.Algorithm> first(Product product) {
    List<Blas.Algorithm> proposals = proposals(product);
    if (proposals.isEmpty()) return Optional.empty();
    boolean needsTrial = product.isTried();
    if (proposals.size() == 1 && !needsTrial) return Optional.of(proposals.getFirst());
    if (proposals.size() == 1) return fastest(product, proposals);
    Optional<Blas.Algorithm> kept = file.find(product).flatMap(words -> restored(product, words));
    if (kept.isPresent()) return kept;
    Optional<Blas.Algorithm> fastest = fastest(product, proposals);
    if (fastest.isEmpty()) return needsTrial ? fastest : Optional.of(proposals.getFirst());
    long[] agreed = file.put(product, Blas.words(fastest.get()), words -> restored(product, words).isPresent());
    return restored(product, agreed).or(() -> fastest);
  }

  private Optional<Blas.Algorithm> restored(Product product, long[] words) {
    try (Descriptors d = Descriptors.of(product)) {
      return Optional.ofNullable(Blas.restored(handle, d, words));
    }
  }

  /** Of those that are right; empty where none is. */
  private Optional<Blas.Algorithm> fastest(Product product, List<Blas.Algorithm> proposals) {
    long workspace = proposals.stream().mapToLong(Blas.Algorithm::workspaceBytes).max().orElse(0);
    try (Trial trial = new Trial(handle, product, workspace, stream)) {
      List<Blas.Algorithm> right = proposals.stream().filter(trial::isRight).toList();
      if (right.size() < 2) return right.stream().findFirst();
      Blas.Algorithm fastest = null;
      double least = Double.POSITIVE_INFINITY;
      for (Blas.Algorithm candidate : right) {
        double time = trial.milliseconds(candidate);
        if (time < least) {
          least = time;
          fastest = candidate;
        }
      }
      return Optional.of(fastest);
    }
  }
}
