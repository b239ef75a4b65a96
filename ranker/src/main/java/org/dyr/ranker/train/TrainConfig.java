package org.dyr.ranker.train;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dyr.device.DeviceOptions;
import org.dyr.device.DeviceOptions.Launching;
import org.dyr.graph.Bucket;
import org.dyr.graph.Recompute;
import org.dyr.nn.Bert;
import org.dyr.ranker.model.ModelSource;

/**
 * All that a training run is told: a value for every key of {@link ConfigKeys} that is set or has a default. An
 * accessor is named as its key but in camel case; what each means, its type, range and default are in {@code dyr train
 * --help-config}. Made by {@link ConfigLoader}. Paths are as they were written; relative ones start at the working
 * directory.
 */
public final class TrainConfig {
  private final Map<ConfigKey<?>, Object> values = new HashMap<>();

  /**
   * @param given what is set, each value made by the parser of its own key; the others have their defaults
   * @throws ConfigException when the whole does not fit together
   */
  TrainConfig(Map<ConfigKey<?>, Object> given) {
    for (ConfigKey<?> key : ConfigKeys.ALL) if (key.standard() != null) values.put(key, key.standard());
    values.putAll(given);
    check();
  }

  /** Checks what no single key shows. */
  private void check() {
    exactlyOne(ConfigKeys.DATA, ConfigKeys.GROUPS);
    boolean bare = pretrained().filter(ModelSource::isCheckpoint).isPresent(); // model_config may describe it
    if (!bare) exactlyOne(ConfigKeys.MODEL_CONFIG, ConfigKeys.PRETRAINED);
    EvalFiles eval = evalFiles();
    require(eval.records().isEmpty() || eval.ids().isPresent() && eval.qrels().isPresent(),
        "eval_records needs eval_ids and eval_qrels");
    require(eval.records().isPresent() || eval.equals(EvalFiles.NONE),
        "eval_ids, eval_qrels and eval_scores are for eval_records, which is not given");
    require(pretrained().isPresent() || vocab().isPresent(),
        "vocab is needed with model_config: name a vocab.txt or tokenizer.json");
    require(find(ConfigKeys.OUT).isPresent(), "out is needed: name the folder for checkpoints and metrics");
    require(maxLength() >= maxQueryLength() + 4, ("max_length %d leaves no room for a passage beside a query of "
        + "max_query_length %d, [CLS] and twice [SEP]: it must be at least max_query_length + 4")
        .formatted(maxLength(), maxQueryLength()));
    require(tokenBudget() >= maxLength(),
        "token_budget %d must be at least max_length %d".formatted(tokenBudget(), maxLength()));
    int groups = get(ConfigKeys.GROUP_NUM);
    require((double) batchGroups() * groups * accumulate() <= Bucket.MOST, // a product that a long need not hold
        "batch_groups %d, group_num %d and accumulate %d are too many groups for a step: their product must be at most %d"
            .formatted(batchGroups(), groups, accumulate(), Bucket.MOST));
    OptimizerConfig o = optimizer();
    require(o.endLearningRate() <= o.learningRate(),
        "optimizer.end_learning_rate %s must not be above optimizer.learning_rate %s"
            .formatted(o.endLearningRate(), o.learningRate()));
    compression();
    split();
  }

  private void exactlyOne(ConfigKey<?> first, ConfigKey<?> second) {
    boolean a = find(first).isPresent(), b = find(second).isPresent();
    require(a || b, "give %s or %s".formatted(first.name(), second.name()));
    require(!(a && b), "give %s or %s, not both".formatted(first.name(), second.name()));
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) throw new ConfigException("", otherwise);
  }

  /** The value of a key; empty where it is not set and has no default. */
  @SuppressWarnings("unchecked") // a value was made by the parser of its own key
  <T> Optional<T> find(ConfigKey<T> key) {
    return Optional.ofNullable((T) values.get(key));
  }

  private <T> T get(ConfigKey<T> key) {
    return find(key).orElseThrow();
  }

  /** How a step computes. */
  public StepSettings step() {
    return new StepSettings(seed(), tokenBudget(), Set.copyOf(fusionsOff()),
        get(ConfigKeys.RECOMPUTE).equals("layer") ? Bert.RECOMPUTE_LAYERS : Recompute.NONE, compression(), split());
  }

  /** How the groups of a batch are split over ranks; as many ranks as groups of them unless {@code ranks} says more. */
  public BlockSplit split() {
    try {
      int ranks = get(ConfigKeys.RANKS), groups = get(ConfigKeys.GROUP_NUM);
      Balance balance = Balance.valueOf(balance().toUpperCase(Locale.ROOT));
      return BlockSplit.of(ranks == 0 ? groups : ranks, groups, groupSize(), balance);
    } catch (IllegalArgumentException e) {
      throw new ConfigException("", e.getMessage());
    }
  }

  /** How the negatives of a block are thinned out. */
  public Compression compression() {
    if (!version().equals("dyr")) return Compression.NONE;
    List<Compression.Level> levels = get(ConfigKeys.LEVELS);
    Compression.Form form = Compression.Form.valueOf(get(ConfigKeys.COMPRESSION).toUpperCase(Locale.ROOT));
    try {
      return new Compression(form, levels.isEmpty() ? List.of(Compression.Level.model(get(ConfigKeys.NEGATIVES_KEPT)))
          : levels);
    } catch (IllegalArgumentException e) {
      throw new ConfigException("", "compression.levels: " + e.getMessage());
    }
  }

  /** The optimizer and its schedule. */
  public OptimizerConfig optimizer() {
    return new OptimizerConfig(get(ConfigKeys.OPTIMIZER), get(ConfigKeys.LEARNING_RATE),
        get(ConfigKeys.END_LEARNING_RATE), get(ConfigKeys.POWER), get(ConfigKeys.WARMUP_RATIO),
        get(ConfigKeys.WEIGHT_DECAY), get(ConfigKeys.EPS), get(ConfigKeys.BETA1), get(ConfigKeys.BETA2),
        get(ConfigKeys.MOMENTUM));
  }

  /** The files of an evaluation on ready-made pairs. */
  public EvalFiles evalFiles() {
    return new EvalFiles(find(ConfigKeys.EVAL_RECORDS), find(ConfigKeys.EVAL_IDS), find(ConfigKeys.EVAL_QRELS),
        find(ConfigKeys.EVAL_SCORES));
  }

  public ComputeType computeType() {
    return ComputeType.of(get(ConfigKeys.COMPUTE_TYPE));
  }

  /** The model that the run starts from; empty for one from scratch. */
  Optional<ModelSource> source() {
    return pretrained().map(path -> new ModelSource(path, modelConfig(), vocab(), get(ConfigKeys.ATTENTION_HEADS)));
  }

  public Optional<Path> data() {
    return find(ConfigKeys.DATA);
  }

  public String trainSplit() {
    return get(ConfigKeys.TRAIN_SPLIT);
  }

  public String devSplit() {
    return get(ConfigKeys.DEV_SPLIT);
  }

  public Optional<Path> groups() {
    return find(ConfigKeys.GROUPS);
  }

  public Optional<Path> modelConfig() {
    return find(ConfigKeys.MODEL_CONFIG);
  }

  public Optional<Path> pretrained() {
    return find(ConfigKeys.PRETRAINED);
  }

  public Optional<Path> vocab() {
    return find(ConfigKeys.VOCAB);
  }

  public Path out() {
    return get(ConfigKeys.OUT);
  }

  public long seed() {
    return get(ConfigKeys.SEED);
  }

  public int epochs() {
    return get(ConfigKeys.EPOCHS);
  }

  public int maxSteps() {
    return get(ConfigKeys.MAX_STEPS);
  }

  public int groupSize() {
    return get(ConfigKeys.GROUP_SIZE);
  }

  public int batchGroups() {
    return get(ConfigKeys.BATCH_GROUPS);
  }

  public String balance() {
    return get(ConfigKeys.BALANCE);
  }

  public int maxLength() {
    return get(ConfigKeys.MAX_LENGTH);
  }

  public int maxQueryLength() {
    return get(ConfigKeys.MAX_QUERY_LENGTH);
  }

  public boolean shuffle() {
    return get(ConfigKeys.SHUFFLE);
  }

  public int relevantFrom() {
    return get(ConfigKeys.RELEVANT_FROM);
  }

  public String version() {
    return get(ConfigKeys.VERSION);
  }

  public double clipNorm() {
    return get(ConfigKeys.CLIP_NORM);
  }

  public Optional<Double> dropout() {
    return find(ConfigKeys.DROPOUT);
  }

  public Optional<String> numerics() {
    return find(ConfigKeys.NUMERICS);
  }

  public Optional<Boolean> useRelativePositions() {
    return find(ConfigKeys.USE_RELATIVE_POSITIONS);
  }

  public int accumulate() {
    return get(ConfigKeys.ACCUMULATE);
  }

  public int tokenBudget() {
    return get(ConfigKeys.TOKEN_BUDGET);
  }

  public int checkpointEvery() {
    return get(ConfigKeys.CHECKPOINT_EVERY);
  }

  public int keepCheckpoints() {
    return get(ConfigKeys.KEEP_CHECKPOINTS);
  }

  public int evalEvery() {
    return get(ConfigKeys.EVAL_EVERY);
  }

  public int evalQueries() {
    return get(ConfigKeys.EVAL_QUERIES);
  }

  public String device() {
    return get(ConfigKeys.DEVICE);
  }

  /** How the device of a run is opened. */
  public DeviceOptions device(int threads) {
    return new DeviceOptions(threads, get(ConfigKeys.KERNELS), get(ConfigKeys.CPU_FEATURES),
        Launching.valueOf(get(ConfigKeys.LAUNCHING).toUpperCase(Locale.ROOT)));
  }

  public int threads() {
    return get(ConfigKeys.THREADS);
  }

  public List<String> fusionsOff() {
    return get(ConfigKeys.FUSIONS_OFF);
  }

  public boolean saveCkpt() {
    return get(ConfigKeys.SAVE_CKPT);
  }

  /** The configuration as YAML that {@link ConfigLoader} reads back as an equal one. */
  public String toYaml() {
    return ConfigText.of(this);
  }

  @Override public boolean equals(Object other) {
    return other instanceof TrainConfig c && values.equals(c.values);
  }

  @Override public int hashCode() {
    return values.hashCode();
  }

  @Override public String toString() {
    return toYaml();
  }
}
