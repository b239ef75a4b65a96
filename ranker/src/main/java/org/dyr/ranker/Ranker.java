package org.dyr.ranker;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.dyr.device.Backend;
import org.dyr.device.DeviceOptions;
import org.dyr.device.Devices;
import org.dyr.ranker.model.Model;
import org.dyr.ranker.model.ModelException;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.model.Scorer;
import org.dyr.ranker.text.EncodedPair;
import org.dyr.ranker.text.PairEncoder;
import org.dyr.tensor.DType;

/**
 * The ranker as applications embed it. Safe for many threads. Reads no network, prints nothing, sets no system
 * property; all memory and threads are given back by {@link #close}. What stays are the native libraries, unpacked in
 * the user's cache folders where those can be written.
 *
 * <pre>{@code
 * try (Ranker ranker = Ranker.load(Path.of("model"))) {
 *   for (Ranked r : ranker.rerank("who wrote it?", passages)) System.out.println(r.score() + " " + r.passage());
 * }
 * }</pre>
 */
public final class Ranker implements AutoCloseable {
  private final Backend backend;
  private final Model model;
  private final Scorer scorer;
  private final PairEncoder encoder;
  private final ReadWriteLock lock = new ReentrantReadWriteLock(); // calls share it, closing has it alone
  private boolean closed;

  private Ranker(Backend backend, Model model) {
    this.backend = backend;
    this.model = model;
    this.encoder = model.encoder();
    this.scorer = new Scorer(model, Set.of());
  }

  /** Loads a model directory onto the CPU, with every processor. */
  public static Ranker load(Path directory) {
    return load(directory, "cpu", DeviceOptions.defaults());
  }

  /**
   * Loads a model directory.
   *
   * @throws RuntimeException naming the file when something in the directory is missing or broken
   * @throws IllegalArgumentException when the device or the kernel set is not here
   */
  public static Ranker load(Path directory, String device, DeviceOptions options) {
    return load(directory, Optional.empty(), Optional.empty(), device, options);
  }

  /**
   * As {@link #load(Path, String, DeviceOptions)}, of a directory or of a MindSpore checkpoint ({@code .ckpt}).
   *
   * @param config the checkpoint's {@code config.json}; without it its tensors tell the sizes, with a head every 64
   * @param vocabulary {@code vocab.txt} or {@code tokenizer.json}; a checkpoint needs one
   */
  public static Ranker load(Path path, Optional<Path> config, Optional<Path> vocabulary, String device,
      DeviceOptions options) {
    return load(path, config, vocabulary, device, options, DType.F32);
  }

  /**
   * As above, computing in another type.
   *
   * @param compute F32, BF16 or F16: the type of the encoder's activations and of the matrices that they meet, rounded
   *     once as they are loaded; embeddings and head are held and computed in fp32
   */
  public static Ranker load(Path path, Optional<Path> config, Optional<Path> vocabulary, String device,
      DeviceOptions options, DType compute) {
    ModelSource source = new ModelSource(path, config, vocabulary, 0);
    Backend backend = Devices.open(device, options);
    Model model = null;
    try {
      model = source.loadForScoring(backend, compute);
      if (!model.readsText()) {
        throw new ModelException(path, "has no vocab.txt or tokenizer.json and no vocabulary was named (--vocab)");
      }
      return new Ranker(backend, model);
    } catch (RuntimeException | Error e) {
      if (model != null) model.close();
      backend.close();
      throw e;
    }
  }

  /**
   * The model's logit for each passage, in the order given: higher is more relevant. A passage that is too long is cut
   * at its end. A score is the same whatever other passages share the call, up to rounding.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public float[] score(String query, List<String> passages) {
    return score(() -> {
      int[] queryIds = model.tokenizer().encode(query);
      List<EncodedPair> pairs = new ArrayList<>(passages.size());
      for (String p : passages) pairs.add(encoder.encode(queryIds, model.tokenizer().encode(p)));
      return pairs;
    });
  }

  /**
   * The logit of each pair of a query and a passage.
   *
   * @throws IllegalArgumentException when there are not as many queries as passages
   * @throws IllegalStateException after {@link #close}
   */
  public float[] score(List<String> queries, List<String> passages) {
    if (queries.size() != passages.size()) {
      throw new IllegalArgumentException("%d queries for %d passages".formatted(queries.size(), passages.size()));
    }
    return score(() -> {
      List<EncodedPair> pairs = new ArrayList<>(passages.size());
      for (int i = 0; i < passages.size(); i++) {
        pairs.add(encoder.encode(model.tokenizer().encode(queries.get(i)), model.tokenizer().encode(passages.get(i))));
      }
      return pairs;
    });
  }

  private float[] score(Supplier<List<EncodedPair>> pairs) {
    Lock open = lock.readLock();
    open.lock();
    try {
      if (closed) throw new IllegalStateException("the ranker is closed; load another");
      return scorer.score(pairs.get());
    } finally {
      open.unlock();
    }
  }

  /** All passages, the best first; equal scores keep the order given. */
  public List<Ranked> rerank(String query, List<String> passages) {
    float[] scores = score(query, passages);
    List<Ranked> ranked = new ArrayList<>(scores.length);
    for (int i = 0; i < scores.length; i++) ranked.add(new Ranked(i, scores[i], passages.get(i)));
    ranked.sort(Comparator.comparingDouble(Ranked::score).reversed());
    return ranked;
  }

  /** Passages so far that were cut to fit. */
  public long truncatedPassages() {
    return encoder.truncatedPassages();
  }

  /** Waits for calls in progress, then frees everything. Closing twice is harmless. */
  @Override public void close() {
    lock.writeLock().lock();
    try {
      if (closed) return;
      closed = true;
      scorer.close();
      model.close();
      backend.close();
    } finally {
      lock.writeLock().unlock();
    }
  }
}
