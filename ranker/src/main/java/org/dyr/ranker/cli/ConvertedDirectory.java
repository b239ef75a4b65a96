package org.dyr.ranker.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;
import org.dyr.formats.checkpoint.StoredTensor;
import org.dyr.io.AtomicFiles;
import org.dyr.io.ModelTensors;
import org.dyr.io.SafeTensorsWriter;
import org.dyr.nn.Bert;
import org.dyr.nn.BertConfig;
import org.dyr.nn.Parameter;
import org.dyr.op.Activation;
import org.dyr.ranker.model.ModelConfig;
import org.dyr.ranker.model.ModelException;

/**
 * What a Hugging Face directory needs besides the weights, before it is written.
 *
 * @param config    what {@code config.json} says
 * @param companions names in the new directory to files that are copied under them, {@code config.json} first
 */
record ConvertedDirectory(BertConfig config, Map<String, Path> companions) {
  private static final String VOCABULARY = "vocab.txt";
  private static final String TOKENIZER = "tokenizer.json";
  private static final List<String> OPTIONAL = List.of("tokenizer_config.json", "special_tokens_map.json");
  private static final double MIND_SPORE_EPSILON = 1e-7;

  /**
   * Looks for the files.
   *
   * @param from       the model: its own directory, or the one it lies in, has the files that are not named; a
   *     MindSpore checkpoint has no such neighbours
   * @param config     config.json, or null
   * @param vocabulary vocab.txt or tokenizer.json, or null; what lies beside it says how its text is read
   * @throws ModelException if one is missing or the config is not that of a ranker
   */
  static ConvertedDirectory prepare(Path from, Path config, Path vocabulary) {
    Path home = home(from);
    Map<String, Path> companions = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    if (config != null) companions.put(ModelConfig.FILE, existing(config));
    else if (!take(home, ModelConfig.FILE, companions)) missing.add("config.json (--config FILE names it)");
    if (vocabulary != null) {
      companions.put(vocabulary.toString().endsWith(".json") ? TOKENIZER : VOCABULARY, existing(vocabulary));
      OPTIONAL.forEach(name -> take(vocabulary.toAbsolutePath().getParent(), name, companions));
    } else {
      boolean words = take(home, VOCABULARY, companions);
      if (!take(home, TOKENIZER, companions) && !words) {
        missing.add("vocab.txt or tokenizer.json (--vocab FILE names it)");
      }
      OPTIONAL.forEach(name -> take(home, name, companions));
    }
    if (!missing.isEmpty()) {
      throw new ModelException(from, "a Hugging Face directory needs what is not there: "
          + String.join(", and ", missing));
    }
    return new ConvertedDirectory(ModelConfig.read(companions.get(ModelConfig.FILE)), companions);
  }

  /** The directory that belongs to the model, or null. */
  private static Path home(Path from) {
    if (Files.isDirectory(from)) return from;
    return from.toString().endsWith(".ckpt") ? null : from.toAbsolutePath().getParent();
  }

  private static Path existing(Path file) {
    if (!Files.isRegularFile(file)) throw new ModelException(file, "no such file");
    return file;
  }

  private static boolean take(Path home, String name, Map<String, Path> companions) {
    if (home == null || !Files.isRegularFile(home.resolve(name))) return false;
    companions.put(name, home.resolve(name));
    return true;
  }

  /**
   * Compares shapes with the config.
   *
   * @throws ModelException if one differs, or a weight belongs to a layer or to positions that the config does not have
   */
  void check(List<StoredTensor> tensors, Path from) {
    Map<String, Parameter> expected = new HashMap<>();
    new Bert(config).parameters().forEach(p -> expected.put(p.name(), p));
    for (StoredTensor t : tensors) {
      Parameter p = expected.get(t.name());
      if (p == null && (t.name().contains(".position_embeddings.") || t.name().contains(".relative_positions."))) {
        throw new ModelException(from, "has %s, but config.json says position_embedding_type %s".formatted(t.name(),
            config.positionEmbeddingType()));
      }
      if (p == null) {
        throw new ModelException(from,
            "has %s, but config.json says %d layers (num_hidden_layers)".formatted(t.name(), config.layers()));
      }
      List<Long> dims = new ArrayList<>();
      for (int d : p.shape().dims()) dims.add((long) d);
      if (!t.dims().equals(dims)) {
        throw new ModelException(from,
            "%s has the shape %s, config.json asks for %s".formatted(t.name(), t.dims(), dims));
      }
    }
  }

  /** What to know of weights that MindSpore trained: its defaults differ from Hugging Face's. */
  Optional<String> mindSporeNote() {
    if (config.layerNormEps() == MIND_SPORE_EPSILON && config.activation() == Activation.Kind.GELU_TANH) {
      return Optional.empty();
    }
    return Optional.of("note     MindSpore's DYR computes with layer_norm_eps 1e-7 and hidden_act gelu_new (tanh);"
        + " config.json says %s and %s, which gives other scores".formatted(config.layerNormEps(),
            config.activationName()));
  }

  /**
   * Writes the directory, whole or not at all. Of a symbolic link it is the directory that the link leads to; the link
   * stays.
   *
   * @throws ModelException if there is one already that is not empty, or a link leads nowhere
   */
  void write(Path to, List<SafeTensorsWriter.Stored> tensors) throws IOException {
    if (Files.isSymbolicLink(to) && !Files.exists(to)) {
      throw new ModelException(to, "is a link to what is not there: name the directory itself");
    }
    Path target = Files.exists(to) ? to.toRealPath() : to.toAbsolutePath().normalize();
    if (Files.isDirectory(target)) {
      try (Stream<Path> files = Files.list(target)) {
        if (files.findAny().isPresent()) throw new ModelException(to, "is there already and not empty");
      }
    } else if (Files.exists(target)) {
      throw new ModelException(to, "is there already and no directory");
    }
    Path prepared = target.resolveSibling(".%s.%s.tmp".formatted(target.getFileName(), UUID.randomUUID()));
    Files.createDirectories(prepared);
    boolean published = false;
    try {
      for (Map.Entry<String, Path> c : companions.entrySet()) Files.copy(c.getValue(), prepared.resolve(c.getKey()));
      SafeTensorsWriter.copy(prepared.resolve(ModelTensors.FILE), tensors, Map.of("format", "pt"));
      Files.deleteIfExists(target);
      AtomicFiles.publishDirectory(prepared, target);
      published = true;
    } finally {
      if (!published) AtomicFiles.removeTree(prepared);
    }
  }
}
