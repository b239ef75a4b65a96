package org.dyr.ranker.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.dyr.device.Backend;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.nn.Weights;
import org.dyr.ranker.text.PairLengths;
import org.dyr.ranker.text.Tokenizer;
import org.dyr.tensor.DType;

/**
 * Where a model lies: a Hugging Face directory, which tells all, or a MindSpore checkpoint ({@code .ckpt}), which has
 * weights alone. A model without a vocabulary scores ready-made tokens and no texts.
 *
 * @param config the checkpoint's {@code config.json}; without it its tensors tell the sizes, and MindSpore's numerics
 *     hold
 * @param vocabulary {@code vocab.txt} or {@code tokenizer.json} of a checkpoint, or of a directory that has none; a
 *     directory's own config and vocabulary come before those named here, which must be there all the same
 * @param heads attention heads of a checkpoint without config; 0 for one every 64 of the hidden size
 */
public record ModelSource(Path path, Optional<Path> config, Optional<Path> vocabulary, int heads) {

  /** A directory, or a checkpoint of which nothing more is known. */
  public static ModelSource of(Path path) {
    return new ModelSource(path, Optional.empty(), Optional.empty(), 0);
  }

  /** Whether a path is a MindSpore checkpoint, by its name. */
  public static boolean isCheckpoint(Path path) {
    return path.getFileName() != null && path.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".ckpt")
        && !Files.isDirectory(path);
  }

  /** The file that tells, or none. */
  private Optional<Path> configFile() {
    return isCheckpoint(path) ? config : Optional.of(path.resolve(ModelConfig.FILE));
  }

  /** A name that is mistyped should not be found out by the scores of another model. */
  private void requireNamed() {
    requireNamed(config, "the model's config.json (--model-config)");
    requireNamed(vocabulary, "its vocab.txt or tokenizer.json (--vocab)");
  }

  private static void requireNamed(Optional<Path> file, String what) {
    if (file.isEmpty() || Files.exists(file.get())) return;
    throw new ModelException(file.get(), "no such file; name " + what + ", or none");
  }

  /**
   * The model's configuration; of a checkpoint what its tensors tell.
   *
   * @throws ModelException when a file is missing, one named here too, or wrong
   */
  public BertConfig bert() {
    requireNamed();
    if (configFile().isPresent()) return ModelConfig.read(configFile().get());
    try (CheckpointParameters parameters = new CheckpointParameters(path)) {
      return parameters.config(heads);
    }
  }

  /**
   * Loads a trained model, to go on from, to write, or to score with in fp32.
   *
   * @throws ModelException when a file or a parameter is missing or does not fit
   */
  public Model load(Backend backend) {
    return trained(backend, net -> new Weights(backend, DType.F32, net.parameters()));
  }

  /**
   * Loads a trained model that computes in this type, for scoring alone: each parameter as programs read it, see {@link
   * Weights#forScoring}.
   *
   * @throws ModelException when a file or a parameter is missing or does not fit
   */
  public Model loadForScoring(Backend backend, DType compute) {
    return trained(backend, net -> Weights.forScoring(backend, compute, net));
  }

  private Model trained(Backend backend, Function<Bert, Weights> memory) {
    List<String> fresh = new ArrayList<>();
    Model model = load(new Bert(bert()), memory, backend, 0, fresh);
    if (!fresh.isEmpty()) {
      model.close();
      throw new ModelException(path, "the weights of %s are missing: is it trained for ranking?".formatted(fresh));
    }
    return model;
  }

  /**
   * Loads a pretrained BERT to go on from. Pooler, classifier and the tables of relative positions may be missing and
   * then begin fresh.
   *
   * @param bert the model's own configuration, or that with another dropout
   * @param fresh takes the names of the parameters that begin fresh
   * @throws ModelException when a file or another parameter is missing or does not fit
   */
  public Model load(BertConfig bert, Backend backend, long seed, List<String> fresh) {
    return load(new Bert(bert), net -> new Weights(backend, DType.F32, net.parameters()), backend, seed, fresh);
  }

  /** @param memory allocates the weights */
  private Model load(Bert net, Function<Bert, Weights> memory, Backend backend, long seed, List<String> fresh) {
    requireNamed();
    int positions = net.config().maxPositions();
    PairLengths lengths =
        configFile().map(file -> ModelConfig.readLengths(file, positions)).orElse(PairLengths.of(positions));
    Tokenizer tokenizer = tokenizer();
    Weights weights = null;
    try (ParameterSource parameters =
        isCheckpoint(path) ? new CheckpointParameters(path) : new DirectoryParameters(path)) {
      if (tokenizer != null) Model.checkVocabulary(net.config(), tokenizer);
      weights = memory.apply(net);
      for (Parameter p : net.parameters()) {
        if (parameters.has(p)) {
          load(p, parameters, weights);
        } else if (mayBeginFresh(p.name())) {
          fresh.add(p.name());
          weights.initialize(p, seed, net.config().initializerRange());
        } else {
          throw new ModelException(path, "has no tensor " + p.name());
        }
      }
      return new Model(net, weights, tokenizer, backend).reading(lengths);
    } catch (RuntimeException | Error e) {
      if (weights != null) weights.close();
      if (tokenizer != null) tokenizer.close();
      if (e instanceof IllegalArgumentException) throw new ModelException(path, e.getMessage(), e);
      throw e;
    }
  }

  private static void load(Parameter p, ParameterSource from, Weights weights) {
    DType type = weights.spec(p).type();
    Optional<MemorySegment> mapped = from.mapped(p, type);
    if (mapped.isPresent()) {
      weights.upload(p, mapped.get());
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(weights.spec(p).bytes(), Long.BYTES);
      from.copy(p, host, type);
      weights.upload(p, host);
    }
  }

  private static boolean mayBeginFresh(String name) {
    return name.startsWith("bert.pooler.") || name.startsWith("classifier.")
        || name.endsWith("attention.self.relative_positions.weight");
  }

  /** The tokenizer, or null where nothing names one. */
  private Tokenizer tokenizer() {
    boolean own = !isCheckpoint(path) && List.of("vocab.txt", "tokenizer.json").stream()
        .anyMatch(name -> Files.exists(path.resolve(name)));
    if (own) return Tokenizer.load(path);
    return vocabulary.map(Tokenizer::load).orElse(null);
  }
}
