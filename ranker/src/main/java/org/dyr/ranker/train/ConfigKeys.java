package org.dyr.ranker.train;

import static org.dyr.ranker.train.ConfigType.FLAG;
import static org.dyr.ranker.train.ConfigType.INTEGER;
import static org.dyr.ranker.train.ConfigType.LONG;
import static org.dyr.ranker.train.ConfigType.NAMES;
import static org.dyr.ranker.train.ConfigType.NUMBER;
import static org.dyr.ranker.train.ConfigType.OUTPUT;
import static org.dyr.ranker.train.ConfigType.PATH;
import static org.dyr.ranker.train.ConfigType.TEXT;
import static org.dyr.ranker.train.ConfigType.oneOf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.dyr.graph.Bucket;
import org.dyr.ranker.train.ConfigKey.Range;

/** The table of keys: what {@link TrainConfig} holds a value for. */
final class ConfigKeys {
  private static final List<ConfigKey<?>> TABLE = new ArrayList<>();

  static final ConfigKey<Path> DATA = unset("data", PATH,
      "folder with collection.tsv, queries.<split>.tsv, qrels.<split>.tsv and candidates or bm25; or give groups");
  static final ConfigKey<String> TRAIN_SPLIT = key("train_split", TEXT, "train", any(),
      "split of data to train on");
  static final ConfigKey<String> DEV_SPLIT = key("dev_split", TEXT, "dev", any(),
      "split of data to evaluate on during training; none = no evaluation");
  static final ConfigKey<Path> GROUPS = unset("groups", PATH,
      "in place of data: a JSON-lines file of {\"query\", \"pos\": [..], \"neg\": [..]}, or MindRecord, file or "
          + "folder");
  static final ConfigKey<Path> MODEL_CONFIG = unset("model_config", PATH,
      "config.json of a model to train from scratch; or give pretrained");
  static final ConfigKey<Path> PRETRAINED = unset("pretrained", PATH,
      "folder of a model to start from, in place of model_config; or a MindSpore .ckpt, with model_config or without");
  static final ConfigKey<Path> VOCAB = unset("vocab", PATH,
      "vocab.txt or tokenizer.json; needed with model_config, else that of pretrained; texts need it with a .ckpt");
  static final ConfigKey<Path> OUT = unset("out", OUTPUT,
      "folder for checkpoints, metrics and the best model; always needed");
  static final ConfigKey<Long> SEED = key("seed", LONG, 42L, any(),
      "all that is random follows from it");
  static final ConfigKey<Integer> EPOCHS = key("epochs", INTEGER, 1, atLeast(1),
      "passes over the training queries");
  static final ConfigKey<Integer> MAX_STEPS = key("max_steps", INTEGER, 0, atLeast(0),
      "optimizer steps to train for, whatever epochs says; 0 = as many as the epochs take");
  static final ConfigKey<Integer> GROUP_SIZE = key("group_size", INTEGER, 8, atLeast(2),
      "passages of a group: one relevant, the others not");
  static final ConfigKey<Integer> BATCH_GROUPS = key("batch_groups", INTEGER, 8, atLeast(1),
      "groups of a batch; with group_num, of each group of ranks");
  static final ConfigKey<Integer> GROUP_NUM = key("group_num", INTEGER, 1, between(1, BlockSplit.MOST_RANKS),
      "groups of ranks: each takes batch_groups whole groups of a batch");
  static final ConfigKey<Integer> RANKS = key("ranks", INTEGER, 0, between(0, BlockSplit.MOST_RANKS),
      "devices that train together, threads of this process; group_num divides them; 0 = one a group of ranks");
  static final ConfigKey<String> BALANCE = key("balance", oneOf("samples", "tokens"), "samples", any(),
      "along the ranks of a group each has as many samples of a group, in their order, or about as many tokens");
  static final ConfigKey<Integer> MAX_LENGTH = key("max_length", INTEGER, 512, atLeast(1),
      "most tokens of a query and passage together with [CLS] and twice [SEP]; the passage is cut");
  static final ConfigKey<Integer> MAX_QUERY_LENGTH = key("max_query_length", INTEGER, 64, atLeast(1),
      "most tokens of a query");
  static final ConfigKey<Boolean> SHUFFLE = key("shuffle", FLAG, true, any(),
      "another order of the queries every epoch");
  static final ConfigKey<Integer> RELEVANT_FROM = key("relevant_from", INTEGER, 1, atLeast(1),
      "lowest grade of the judgements that counts as relevant");

  static final ConfigKey<String> VERSION = key("version", oneOf("dyr_base", "dyr"), "dyr_base", any(),
      "dyr_base = all negatives of a group are in the loss; dyr = the hardest of them");
  static final ConfigKey<Integer> NEGATIVES_KEPT = key("negatives_kept", INTEGER, 15, atLeast(1),
      "hardest negatives of a group that stay in the loss (dyr); of equal ones the first, of fewer all");
  static final ConfigKey<String> COMPRESSION = key("compression", oneOf("two_pass", "in_graph"), "two_pass", any(),
      "two_pass = negatives are scored first, the hardest are trained; in_graph = the original's form");
  static final ConfigKey<List<Compression.Level>> LEVELS = key("compression.levels", ConfigType.LEVELS, List.of(), any(),
      "as retrieval keep 64, layers 2 keep 32, model keep 15; empty = one level, the model's, of negatives_kept");

  static final ConfigKey<String> OPTIMIZER = key("optimizer.name", oneOf("lamb", "adam_weight_decay", "momentum"),
      "lamb", any(), "the update rule");
  static final ConfigKey<Double> LEARNING_RATE = key("optimizer.learning_rate", NUMBER, 1e-5, from(0),
      "rate after the warm-up; DYR has 1e-5 for lamb and adam_weight_decay, 2e-5 for momentum");
  static final ConfigKey<Double> END_LEARNING_RATE = key("optimizer.end_learning_rate", NUMBER, 1e-7, from(0),
      "rate that the decay ends at, one step behind the last");
  static final ConfigKey<Double> POWER = key("optimizer.power", NUMBER, 1.0, above(0),
      "power of the polynomial decay; 1 = a straight line");
  static final ConfigKey<Double> WARMUP_RATIO = key("optimizer.warmup_ratio", NUMBER, 0.1, share(true),
      "share of the steps in which the rate rises from 0");
  static final ConfigKey<Double> WEIGHT_DECAY = key("optimizer.weight_decay", NUMBER, 0.01, from(0),
      "decay of all parameters but biases and layer norms (lamb, adam_weight_decay)");
  static final ConfigKey<Double> EPS = key("optimizer.eps", NUMBER, 1e-6, above(0),
      "added to the root of the second moment (lamb, adam_weight_decay)");
  static final ConfigKey<Double> BETA1 = key("optimizer.beta1", NUMBER, 0.9, share(false),
      "decay of the first moment (lamb, adam_weight_decay)");
  static final ConfigKey<Double> BETA2 = key("optimizer.beta2", NUMBER, 0.999, share(false),
      "decay of the second moment (lamb, adam_weight_decay)");
  static final ConfigKey<Double> MOMENTUM = key("optimizer.momentum", NUMBER, 0.9, share(false),
      "decay of the velocity (momentum)");

  static final ConfigKey<Double> CLIP_NORM = key("clip_norm", NUMBER, 1.0, from(0),
      "most global norm of the gradients, which are scaled down to it; 0 = off");
  static final ConfigKey<Double> DROPOUT = key("dropout", NUMBER, null, share(false),
      "probability of dropout in the whole model; not set = as the model says");
  static final ConfigKey<String> NUMERICS = key("numerics", oneOf("huggingface", "mindspore"), null, any(),
      "huggingface = layer norm epsilon 1e-12, gelu by erf; mindspore = 1e-7, by tanh; not set = as the model says");
  static final ConfigKey<String> COMPUTE_TYPE = key("compute_type", oneOf("float32", "bfloat16", "float16"), "float32",
      any(), "type of the encoder's activations; weights and sums stay float32; float16 scales the loss");
  static final ConfigKey<String> RECOMPUTE = key("recompute", oneOf("none", "layer"), "none", any(),
      "layer = activations inside encoder layers are computed again in backward: less memory, a second forward");
  static final ConfigKey<Boolean> USE_RELATIVE_POSITIONS = unset("use_relative_positions", FLAG,
      "true = attention embeds distances of up to 16 tokens, false = absolute positions; not set = as the model says");
  static final ConfigKey<Integer> ACCUMULATE = key("accumulate", INTEGER, 1, atLeast(1),
      "batches whose gradients make one optimizer step");
  static final ConfigKey<Integer> TOKEN_BUDGET = key("token_budget", INTEGER, 16384, between(1, Bucket.MOST),
      "most tokens that a rank computes at once (a micro-batch); memory grows with it, results do not change");
  static final ConfigKey<Integer> CHECKPOINT_EVERY = key("checkpoint_every", INTEGER, 0, atLeast(0),
      "steps between checkpoints; 0 = at the end of each epoch only");
  static final ConfigKey<Integer> KEEP_CHECKPOINTS = key("keep_checkpoints", INTEGER, 1, atLeast(1),
      "newest checkpoints to keep");
  static final ConfigKey<Integer> EVAL_EVERY = key("eval_every", INTEGER, 0, atLeast(0),
      "steps between evaluations; 0 = at the end of each epoch only");
  static final ConfigKey<Integer> EVAL_QUERIES = key("eval_queries", INTEGER, 0, atLeast(0),
      "queries of dev_split to evaluate on during training; 0 = all");
  static final ConfigKey<Path> EVAL_RECORDS = unset("eval_records", PATH,
      "MindRecord file or folder of pairs, a row each, to evaluate on in place of dev_split; with eval_ids, "
          + "eval_qrels");
  static final ConfigKey<Path> EVAL_IDS = unset("eval_ids", PATH,
      "qid and pid of each row of eval_records, a line each");
  static final ConfigKey<Path> EVAL_QRELS = unset("eval_qrels", PATH,
      "judgements for eval_records: qid 0 pid grade a line");
  static final ConfigKey<Path> EVAL_SCORES = unset("eval_scores", OUTPUT,
      "where qid, pid, score of the newest evaluation on eval_records go");
  static final ConfigKey<String> DEVICE = key("device", TEXT, "cpu", any(),
      "device to train on; dyr info lists those that are here");
  static final ConfigKey<String> KERNELS = key("kernels",
      oneOf("auto", "reference", "vector", "openblas", "native"), "auto", any(), "kernel set that is asked first");
  static final ConfigKey<String> CPU_FEATURES = key("cpu_features", oneOf("auto", "avx2", "avx512", "avx512bf16"),
      "auto", any(), "instruction set of the native kernels; auto = the widest that the processor reports");
  static final ConfigKey<String> LAUNCHING = key("launching", oneOf("recorded", "single", "waited"), "recorded", any(),
      "kernels on cuda: a program as one graph, one after another, or each waited for, to find the one that fails");
  static final ConfigKey<Integer> THREADS = key("threads", INTEGER, 0, atLeast(0),
      "threads of the device; 0 = one a processor");
  static final ConfigKey<List<String>> FUSIONS_OFF = key("fusions_off", NAMES, List.of(), any(),
      "names of fusions to switch off");

  static final ConfigKey<Integer> ATTENTION_HEADS = key("attention_heads", INTEGER, 0, atLeast(0),
      "heads of a pretrained .ckpt without model_config, which its tensors do not tell; 0 = hidden size / 64");
  static final ConfigKey<Boolean> SAVE_CKPT = key("save_ckpt", FLAG, false, any(),
      "write the newest checkpoint's weights as MindSpore's out/ckpt_0/VERSION-EPOCH_STEP.ckpt too");

  /** All keys, in the order of the help. */
  static final List<ConfigKey<?>> ALL = Collections.unmodifiableList(TABLE);

  private ConfigKeys() {}

  private static <T> ConfigKey<T> key(String name, ConfigType<T> type, T standard, Range<T> range, String description) {
    ConfigKey<T> key = new ConfigKey<>(name, type, standard, description, range);
    TABLE.add(key);
    return key;
  }

  private static <T> ConfigKey<T> unset(String name, ConfigType<T> type, String description) {
    return key(name, type, null, any(), description);
  }

  private static <T> Range<T> any() {
    return new Range<>("", value -> true);
  }

  private static Range<Integer> atLeast(int least) {
    return new Range<>("at least " + least, value -> value >= least);
  }

  private static Range<Integer> between(int least, int most) {
    return new Range<>("from %d to %d".formatted(least, most), value -> value >= least && value <= most);
  }

  private static Range<Double> from(int least) {
    return new Range<>("at least " + least, value -> value >= least);
  }

  private static Range<Double> above(int bound) {
    return new Range<>("above " + bound, value -> value > bound);
  }

  private static Range<Double> share(boolean whole) {
    return new Range<>("at least 0 and " + (whole ? "at most 1" : "below 1"),
        value -> value >= 0 && (whole ? value <= 1 : value < 1));
  }
}
