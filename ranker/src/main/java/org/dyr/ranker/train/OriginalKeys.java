package org.dyr.ranker.train;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.dyr.ranker.data.DataFolder;
import org.dyr.ranker.remote.RemotePaths;

/**
 * The keys of the original's {@code dyr_config.yaml} and what becomes of each: a key of this project, a remark, or an
 * error where its value asks for what this build does not have. When the build gains that, the key's row turns from
 * {@code needs} into {@code becomes}. Source: MindSpore's models repository, research/nlp/DYR, its configuration and
 * {@code run_dyr.py}, which says what is really read.
 */
final class OriginalKeys {

  /** What is done about one key. A value that is not set has the empty text. */
  @FunctionalInterface
  interface Rule {
    void apply(OriginalConfig file, String key, ConfigFile.Entry value);
  }

  /** All keys with a dot between section and name. */
  static final Map<String, Rule> TABLE;

  /** Which optimizer's section counts. */
  static final String OPTIMIZER = "optimizer_cfg.optimizer";

  private static final String NET = "dyr_net_cfg.";
  private static final String EVAL_DATA = "eval_data_file_path";
  private static final String PRETRAINED = "load_pretrain_checkpoint_path";
  private static final String MODEL_ARTS = "belongs to Huawei's ModelArts service";

  static {
    Map<String, Rule> t = new LinkedHashMap<>();
    t.put("dyr_version", OriginalKeys::version);
    t.put("epoch_num", becomes("epochs"));
    t.put("group_size", becomes("group_size"));
    t.put("train_batch_size", becomes("batch_groups"));
    t.put("group_num", OriginalKeys::groups);
    t.put("train_data_shuffle", becomes("shuffle", OriginalKeys::flag));
    t.put("save_finetune_checkpoint_path", OriginalKeys::out);
    t.put(PRETRAINED, OriginalKeys::pretrained);
    t.put("train_data_file_path", OriginalKeys::trainingData);

    t.put("do_train", OriginalKeys::doTrain);
    t.put("do_eval", OriginalKeys::doEval);
    t.put(EVAL_DATA, OriginalKeys::evaluationData);
    t.put("eval_ids_path", ofEvaluation("eval_ids"));
    t.put("eval_qrels_path", ofEvaluation("eval_qrels"));
    t.put("save_score_path", ofEvaluation("eval_scores"));
    t.put("eval_batch_size", remark("has no counterpart: batches are packed by tokens; no score depends on it"));
    t.put("eval_data_shuffle", remark("has no counterpart: the order of evaluation changes no score"));
    t.put("load_finetune_checkpoint_path", remark("is for evaluation without training: dyr eval --config FILE"));
    t.put("schema_file_path", remark("is read by neither: the original's data set is always MindRecord"));

    t.put("device_target", OriginalKeys::device);
    t.put("device_id", remark("has no counterpart: a device is named by device and threads"));
    t.put("enable_profiling", remark("is an option here: dyr train --profile"));
    t.put("enable_modelarts",
        remark(MODEL_ARTS + "; paths are taken as they stand, not below data_path and output_path"));
    for (String key : List.of("data_url", "train_url", "checkpoint_url", "data_path", "output_path", "load_path")) {
      t.put(key, remark(MODEL_ARTS));
    }
    t.put("description", remark("names the original's script"));

    t.put(OPTIMIZER, OriginalKeys::optimizer);
    for (String name : List.of("AdamWeightDecay", "Lamb")) {
      t.put(of(name, "learning_rate"), chosen(name, becomes("optimizer.learning_rate")));
      t.put(of(name, "end_learning_rate"), chosen(name, becomes("optimizer.end_learning_rate")));
      t.put(of(name, "power"), chosen(name, becomes("optimizer.power")));
    }
    t.put(of("AdamWeightDecay", "weight_decay"), chosen("AdamWeightDecay", becomes("optimizer.weight_decay")));
    t.put(of("AdamWeightDecay", "decay_filter"), chosen("AdamWeightDecay", needs("another choice of decayed parameters",
        v -> !v.toLowerCase(Locale.ROOT).equals("[layernorm, bias]"), "here layer norms and biases are left out")));
    t.put(of("AdamWeightDecay", "eps"), chosen("AdamWeightDecay", becomes("optimizer.eps")));
    Rule unread = remark("is not handed to Lamb by the original's script, which trains without decay; so does this run"
        + " unless --set optimizer.weight_decay says otherwise");
    t.put(of("Lamb", "weight_decay"), chosen("Lamb", unread));
    t.put(of("Lamb", "decay_filter"), chosen("Lamb", unread));
    t.put(of("Momentum", "learning_rate"), chosen("Momentum", (file, key, value) -> {
      becomes("optimizer.learning_rate").apply(file, key, value);
      becomes("optimizer.end_learning_rate").apply(file, key, value); // the original's Momentum keeps one rate
    }));
    t.put(of("Momentum", "momentum"), chosen("Momentum", becomes("optimizer.momentum")));

    t.put(NET + "seq_length", becomes("max_length"));
    for (String size : OriginalModel.SIZES) t.put(NET + size, remark("is compared with the model's own"));
    t.put(OriginalModel.HEADS, OriginalKeys::heads);
    t.put(NET + "hidden_act", OriginalKeys::activation);
    t.put(NET + "hidden_dropout_prob", OriginalKeys::dropout);
    t.put(NET + "attention_probs_dropout_prob", remark("goes with hidden_dropout_prob"));
    t.put(NET + "initializer_range", remark("is the model's, in its config.json; for parameters that begin fresh"));
    t.put(NET + "use_relative_positions", becomes("use_relative_positions", OriginalKeys::flag));
    t.put(NET + "dtype", needs("weights in another type than fp32", v -> !type(v).equals("float32"),
        "set it to mstype.float32"));
    t.put(NET + "compute_type", becomes("compute_type", OriginalKeys::type));
    TABLE = Collections.unmodifiableMap(t);
  }

  private OriginalKeys() {}

  private static String of(String optimizer, String name) {
    return "optimizer_cfg." + optimizer + "." + name;
  }

  // --- Kinds of rows ---

  /** The value goes to a key of this project as it is. */
  private static Rule becomes(String ours) {
    return becomes(ours, UnaryOperator.identity());
  }

  private static Rule becomes(String ours, UnaryOperator<String> change) {
    return (file, key, value) -> {
      if (value.text().isEmpty()) file.note(key + " is empty: " + ours + " is not set by it");
      else file.set(ours, change.apply(value.text()), key, value);
    };
  }

  /** The value changes nothing here; the words go on after the key. */
  private static Rule remark(String words) {
    return (file, key, value) -> file.note(shown(key, value) + " " + words);
  }

  /**
   * The value may ask for what this build does not have.
   *
   * @param settledBy keys of this project: where one is given with --set, the value gives way to it
   */
  private static Rule needs(String feature, Predicate<String> asks, String remedy, String... settledBy) {
    return (file, key, value) -> {
      if (!asks.test(value.text())) {
        file.note(shown(key, value) + " is what this build does");
        return;
      }
      for (String ours : settledBy) {
        if (file.overridden(ours)) {
          file.note(shown(key, value) + " gives way to --set " + ours);
          return;
        }
      }
      file.problem(value,
          "%s asks for %s, which this build does not have; %s".formatted(shown(key, value), feature, remedy));
    };
  }

  /** A row of one optimizer's section, which counts only where that optimizer is chosen. */
  private static Rule chosen(String optimizer, Rule rule) {
    return (file, key, value) -> {
      if (file.text(OPTIMIZER).equals(optimizer)) rule.apply(file, key, value);
      else file.note(shown(key, value) + " is for " + optimizer + ", which is not chosen");
    };
  }

  // --- Rows with a mind of their own ---

  private static void version(OriginalConfig file, String key, ConfigFile.Entry value) {
    switch (value.text().toLowerCase(Locale.ROOT)) {
      case "dyr_base" -> file.note(shown(key, value) + " is what this build does");
      case "dry_base" -> file.note("warning: " + shown(key, value)
          + " is a misspelling in the published file; taken as dyr_base, as the original's script takes it");
      case "dyr" -> file.set("version", "dyr", key, value);
      default -> file.problem(value, "%s must be dyr_base or dyr, not '%s'".formatted(key, value.text()));
    }
  }

  /** The original takes the number of devices from its launcher. */
  private static void groups(OriginalConfig file, String key, ConfigFile.Entry value) {
    becomes("group_num").apply(file, key, value);
    if (!file.overridden("ranks")) {
      file.note("how many devices there are, the original's launcher says: here one for each of group_num,"
          + " or --set ranks=N");
    }
  }

  private static void pretrained(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (file.overridden("pretrained") || file.overridden("model_config")) {
      String ours = file.overridden("pretrained") ? "pretrained" : "model_config";
      file.note(shown(key, value) + " gives way to --set " + ours);
    } else if (value.text().isEmpty()) {
      file.problem(value, key + " is empty: the original does not train without a pretrained model;"
          + " --set pretrained=DIR, or model_config and vocab to begin from scratch");
    } else {
      file.set("pretrained", value.text(), key, value);
    }
  }

  /** A folder of text files is known by sight; all else is a file of groups, JSON lines or MindRecord. */
  private static void trainingData(OriginalConfig file, String key, ConfigFile.Entry value) {
    String text = value.text();
    if (file.overridden("data") || file.overridden("groups")) {
      file.note(shown(key, value) + " gives way to --set " + (file.overridden("data") ? "data" : "groups"));
    } else if (text.isEmpty()) {
      file.problem(value, key + " is empty: --set data=DIR or --set groups=FILE names what to train on");
    } else {
      file.set(isTextFolder(text) ? "data" : "groups", text, key, value);
    }
  }

  private static boolean isTextFolder(String text) {
    return new DataFolder(RemotePaths.input(text)).find("collection.tsv").isPresent();
  }

  private static void doTrain(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (flag(value.text()).equals("true")) file.note(shown(key, value) + " is what dyr train does");
    else file.problem(value, shown(key, value) + ": this command trains; dyr eval --config FILE measures a model");
  }

  private static void doEval(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (flag(value.text()).equals("true")) {
      file.note(shown(key, value) + ": the model is measured at the end of each epoch, on eval_data_file_path or,"
          + " without it, on dev_split of data");
    } else if (flag(value.text()).equals("false")) {
      file.set("dev_split", "none", key, value);
    } else {
      file.problem(value, "%s must be \"true\" or \"false\", not '%s'".formatted(key, value.text()));
    }
  }

  private static void evaluationData(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (evaluates(file)) becomes("eval_records").apply(file, key, value);
    else remark("is not read").apply(file, key, value);
  }

  /** Whether the file asks for an evaluation on MindRecord rows. */
  private static boolean evaluates(OriginalConfig file) {
    return !file.text(EVAL_DATA).isEmpty() && !flag(file.text("do_eval")).equals("false");
  }

  /** A path that goes with eval_data_file_path. */
  private static Rule ofEvaluation(String ours) {
    return (file, key, value) -> {
      if (evaluates(file)) becomes(ours).apply(file, key, value);
      else file.note(shown(key, value) + " goes with " + EVAL_DATA + ", which is not read");
    };
  }

  private static void out(OriginalConfig file, String key, ConfigFile.Entry value) {
    becomes("out").apply(file, key, value);
    if (!value.text().isEmpty()) file.set("save_ckpt", "true", key, value);
  }

  /** A model that is a checkpoint alone: nothing but this file says what its tensors do not tell. */
  private static boolean bareCheckpoint(OriginalConfig file) {
    return file.text(PRETRAINED).endsWith(".ckpt") && !file.overridden("pretrained")
        && !file.overridden("model_config");
  }

  private static void heads(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (bareCheckpoint(file)) becomes("attention_heads").apply(file, key, value);
    else remark("is compared with the model's own").apply(file, key, value);
  }

  /** A checkpoint's activation is MindSpore's gelu, unless a config.json says otherwise. */
  private static void activation(OriginalConfig file, String key, ConfigFile.Entry value) {
    if (!bareCheckpoint(file) || value.text().equals("gelu")) {
      file.note(shown(key, value) + " is the model's, in its config.json; of a .ckpt MindSpore's gelu, which is the"
          + " tanh form, gelu_new");
    } else {
      file.problem(value, shown(key, value) + ": a .ckpt is taken to have gelu; --set model_config=FILE names a"
          + " config.json that says otherwise");
    }
  }

  private static void device(OriginalConfig file, String key, ConfigFile.Entry value) {
    switch (value.text()) {
      case "CPU" -> file.set("device", "cpu", key, value);
      case "GPU" -> file.set("device", "cuda", key, value);
      case "Ascend" -> file.note(shown(key, value) + ": no such device here; device decides (dyr info lists them)");
      default -> file.problem(value, "%s must be Ascend, GPU or CPU, not '%s'".formatted(key, value.text()));
    }
  }

  private static void optimizer(OriginalConfig file, String key, ConfigFile.Entry value) {
    switch (value.text()) {
      case "Lamb" -> {
        file.set("optimizer.name", "lamb", key, value);
        file.set("optimizer.weight_decay", "0", key, value);
      }
      case "AdamWeightDecay" -> file.set("optimizer.name", "adam_weight_decay", key, value);
      case "Momentum" -> {
        file.set("optimizer.name", "momentum", key, value);
        file.set("optimizer.warmup_ratio", "0", key, value);
      }
      default -> file.problem(value,
          "%s must be AdamWeightDecay, Lamb or Momentum, not '%s'".formatted(key, value.text()));
    }
  }

  private static void dropout(OriginalConfig file, String key, ConfigFile.Entry value) {
    String attention = file.text(NET + "attention_probs_dropout_prob");
    if (file.overridden("dropout")) {
      file.note(shown(key, value) + " gives way to --set dropout");
    } else if (!attention.isEmpty() && !same(attention, value.text())) {
      file.problem(value, ("%s differs from attention_probs_dropout_prob %s, and dropout is one number here;"
          + " --set dropout=P").formatted(shown(key, value), attention));
    } else {
      becomes("dropout").apply(file, key, value);
      if (!same("0.1", value.text())) {
        file.note("the original's script leaves 0.1 as dropout before the classifier; here it is %s too"
            .formatted(value.text()));
      }
    }
  }

  private static boolean same(String a, String b) {
    Double left = ConfigType.NUMBER.parser().apply(a), right = ConfigType.NUMBER.parser().apply(b);
    return left != null && left.equals(right);
  }

  // --- Values ---

  /** What YAML of the original's age takes for a truth value, in quotes or not; anything else as it is. */
  private static String flag(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "true", "yes", "on" -> "true";
      case "false", "no", "off" -> "false";
      default -> text;
    };
  }

  private static String type(String text) {
    return text.startsWith("mstype.") ? text.substring("mstype.".length()) : text;
  }

  private static String shown(String key, ConfigFile.Entry value) {
    return value.text().isEmpty() ? key : key + " " + value.text();
  }
}
