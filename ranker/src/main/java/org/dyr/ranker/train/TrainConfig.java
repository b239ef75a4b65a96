package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.dyr.graph.Recompute;
import org.dyr.nn.Bert;
import org.dyr.ranker.model.ModelSource;

/**
 * All that a training run is told. One component a key, named as the key but in camel case; what each means, its type,
 * range and default are in {@link ConfigKeys} and in {@code dyr train --help-config}. Made by {@link ConfigLoader},
 * which checks it. Paths are as they were written; relative ones start at the working directory.
 */
public record TrainConfig(
    Optional<Path> data, String trainSplit, String devSplit, Optional<Path> groups, Optional<Path> modelConfig,
    Optional<Path> pretrained, Optional<Path> vocab, Path out, long seed, int epochs, int maxSteps, int groupSize,
    int batchGroups, int groupNum, int ranks, String balance, int maxLength, int maxQueryLength, boolean shuffle,
    int relevantFrom, OptimizerConfig optimizer, double clipNorm, Optional<Double> dropout, int accumulate,
    int tokenBudget, int checkpointEvery,
    int keepCheckpoints, int evalEvery, int evalQueries, String device, String kernels, int threads,
    List<String> fusionsOff, String version, int negativesKept, String compressionForm,
    List<Compression.Level> levels, Optional<String> numerics, ComputeType computeType, String recompute,
    Optional<Boolean> useRelativePositions, EvalFiles evalFiles, int attentionHeads,
    boolean saveCkpt) {

  /** Checks what no single key shows. */
  public TrainConfig {
    fusionsOff = List.copyOf(fusionsOff);
    levels = List.copyOf(levels);
    exactlyOne("data", data, "groups", groups);
    if (pretrained.filter(ModelSource::isCheckpoint).isEmpty()) {
      exactlyOne("model_config", modelConfig, "pretrained", pretrained);
    }
    require(evalFiles.records().isEmpty() || evalFiles.ids().isPresent() && evalFiles.qrels().isPresent(),
        "eval_records needs eval_ids and eval_qrels");
    require(evalFiles.records().isPresent()
        || evalFiles.ids().isEmpty() && evalFiles.qrels().isEmpty() && evalFiles.scores().isEmpty(),
        "eval_ids, eval_qrels and eval_scores are for eval_records, which is not given");
    require(pretrained.isPresent() || vocab.isPresent(),
        "vocab is needed with model_config: name a vocab.txt or tokenizer.json");
    require(out != null, "out is needed: name the folder for checkpoints and metrics");
    require(maxLength >= maxQueryLength + 4, ("max_length %d leaves no room for a passage beside a query of "
        + "max_query_length %d, [CLS] and twice [SEP]: it must be at least max_query_length + 4")
        .formatted(maxLength, maxQueryLength));
    require(tokenBudget >= maxLength,
        "token_budget %d must be at least max_length %d".formatted(tokenBudget, maxLength));
    require(optimizer.endLearningRate() <= optimizer.learningRate(),
        "optimizer.end_learning_rate %s must not be above optimizer.learning_rate %s"
            .formatted(optimizer.endLearningRate(), optimizer.learningRate()));
    compression(version, compressionForm, negativesKept, levels);
    split(groupSize, groupNum, ranks, balance);
  }

  /** How a step computes. */
  public StepSettings step() {
    return new StepSettings(seed, tokenBudget, Set.copyOf(fusionsOff),
        recompute.equals("layer") ? Bert.RECOMPUTE_LAYERS : Recompute.NONE, compression(), split());
  }

  /** How the groups of a batch are split over ranks. */
  public BlockSplit split() {
    return split(groupSize, groupNum, ranks, balance);
  }

  private static BlockSplit split(int groupSize, int groupNum, int ranks, String balance) {
    try {
      return BlockSplit.of(ranks == 0 ? groupNum : ranks, groupNum, groupSize,
          Balance.valueOf(balance.toUpperCase(Locale.ROOT)));
    } catch (IllegalArgumentException e) {
      throw new ConfigException("", e.getMessage());
    }
  }

  /** How the negatives of a block are thinned out. */
  public Compression compression() {
    return compression(version, compressionForm, negativesKept, levels);
  }

  private static Compression compression(String version, String form, int kept, List<Compression.Level> levels) {
    if (!version.equals("dyr")) return Compression.NONE;
    try {
      return new Compression(form.equals("in_graph") ? Compression.Form.IN_GRAPH : Compression.Form.TWO_PASS,
          levels.isEmpty() ? List.of(Compression.Level.model(kept)) : levels);
    } catch (IllegalArgumentException e) {
      throw new ConfigException("", "compression.levels: " + e.getMessage());
    }
  }

  /** The model that the run starts from; empty for one from scratch. */
  Optional<ModelSource> source() {
    return pretrained.map(path -> new ModelSource(path, modelConfig, vocab, attentionHeads));
  }

  /** The configuration as YAML that {@link ConfigLoader} reads back as an equal one. */
  public String toYaml() {
    return ConfigText.of(this);
  }

  private static void exactlyOne(String firstName, Optional<?> first, String secondName, Optional<?> second) {
    require(first.isPresent() || second.isPresent(), "give %s or %s".formatted(firstName, secondName));
    require(first.isEmpty() || second.isEmpty(), "give %s or %s, not both".formatted(firstName, secondName));
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) throw new ConfigException("", otherwise);
  }
}
