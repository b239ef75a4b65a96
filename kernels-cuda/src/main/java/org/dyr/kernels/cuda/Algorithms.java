package org.dyr.kernels.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.dyr.device.DeviceException;

/**
 * The algorithm for a product: of those that cuBLASLt proposes the fastest, measured once on memory of its own and then
 * known, in this process and, through {@link AlgorithmFile}, in the next.
 */
final class Algorithms {
  private static final int TIMED = 5; // launches, after one that loads the kernel
  private static final int ANY = 0x3c; // bytes that are small positive numbers in fp32, bf16 and fp16

  private final cublasLtContext handle;
  private final CUstream_st stream;
  private final Object lock;
  private final int most;
  private final AlgorithmFile file;
  private final Map<Product, List<Blas.Algorithm>> proposed = new HashMap<>();
  private final Map<Product, Blas.Algorithm> chosen = new HashMap<>();

  /**
   * @param lock what every user of the stream holds: measurements must not come between kernels that are recorded
   * @param most how many proposals are measured; of one nothing is measured or kept
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

  /** @throws DeviceException where the library has none */
  Blas.Algorithm choose(Product product) {
    synchronized (lock) {
      Blas.Algorithm algorithm = chosen.get(product);
      if (algorithm == null) {
        algorithm = first(product);
        chosen.put(product, algorithm);
      }
      return algorithm;
    }
  }

  private Blas.Algorithm first(Product product) {
    List<Blas.Algorithm> proposals = proposals(product);
    if (proposals.isEmpty()) throw new DeviceException("cuBLASLt has no algorithm for " + product);
    if (proposals.size() == 1) return proposals.getFirst();
    Optional<Blas.Algorithm> kept = file.find(product).flatMap(words -> restored(product, words));
    if (kept.isPresent()) return kept.get();
    Optional<Blas.Algorithm> fastest = fastest(product, proposals);
    fastest.ifPresent(a -> file.put(product, Blas.words(a)));
    return fastest.orElse(proposals.getFirst());
  }

  private Optional<Blas.Algorithm> restored(Product product, long[] words) {
    try (Descriptors d = Descriptors.of(product)) {
      return Optional.ofNullable(Blas.restored(handle, d, words));
    }
  }

  /** Empty where there is no memory to measure in. */
  private Optional<Blas.Algorithm> fastest(Product p, List<Blas.Algorithm> proposals) {
    long workspace = proposals.stream().mapToLong(Blas.Algorithm::workspaceBytes).max().orElse(0);
    long a = Blas.aligned(p.a().bytes()), b = Blas.aligned(p.b().bytes()), c = Blas.aligned(p.c().bytes());
    long bias = Blas.aligned((long) p.n() * p.result().bytes());
    long bytes = a + b + bias + c + Blas.aligned(workspace);
    long memory = Driver.allocate(bytes);
    if (memory == 0) return Optional.empty();
    try {
      Driver.fill(memory, ANY, bytes, stream);
      long afterA = memory + a, afterB = afterA + b, afterBias = afterB + bias;
      var operands = new CublasLtProduct.Operands(memory, afterA, afterB, afterBias, afterBias, afterBias + c);
      Blas.Algorithm fastest = null;
      double least = Double.POSITIVE_INFINITY;
      for (Blas.Algorithm candidate : proposals) {
        double time = milliseconds(new CublasLtProduct(handle, p, candidate, operands, stream));
        if (time < least) {
          least = time;
          fastest = candidate;
        }
      }
      return Optional.ofNullable(fastest);
    } finally {
      Driver.free(memory);
    }
  }

  /** Infinite for what is proposed and then refused. */
  private double milliseconds(CublasLtProduct product) {
    try {
      return Stopwatch.milliseconds(stream, TIMED, product);
    } catch (DeviceException e) {
      return Double.POSITIVE_INFINITY;
    } finally {
      product.close();
    }
  }
}
