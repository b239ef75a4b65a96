package org.dyr.ranker.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OriginalConfigTest {
  /** The original's keys with its default values, in an order of their own, but for what no run can do without. */
  private static final String VALUES = """
      dyr_version: "dry_base"
      epoch_num: 1
      train_batch_size: 1
      group_size: 8
      group_num: 1
      train_data_shuffle: "true"
      train_data_file_path: "groups.jsonl"
      load_pretrain_checkpoint_path: "bert"
      save_finetune_checkpoint_path: "runs/ckpt/"
      load_finetune_checkpoint_path: ""
      schema_file_path: ""
      do_train: "true"
      do_eval: "true"
      eval_batch_size: 1
      eval_data_shuffle: "false"
      eval_data_file_path: ""
      eval_ids_path: "ids.tsv"
      eval_qrels_path: "msmarco-docdev-qrels.tsv"
      save_score_path: "score.txt"
      device_target: "Ascend"
      device_id: 0
      description: "run_dyr"
      enable_profiling: False
      enable_modelarts: False
      data_url: ""
      train_url: ""
      checkpoint_url: ""
      data_path: "/cache/data"
      output_path: "/cache/train"
      load_path: "/cache/checkpoint_path"
      dyr_net_cfg:
        vocab_size: 30522
        type_vocab_size: 2
        seq_length: 512
        max_position_embeddings: 512
        hidden_size: 768
        intermediate_size: 3072
        num_hidden_layers: 12
        num_attention_heads: 12
        hidden_act: "gelu"
        hidden_dropout_prob: 0.1
        attention_probs_dropout_prob: 0.1
        initializer_range: 0.02
        use_relative_positions: False
        dtype: mstype.float32
        compute_type: mstype.float32
      optimizer_cfg:
        optimizer: 'Lamb'
        Lamb:
          learning_rate: 0.00001
          end_learning_rate: 0.0000001
          power: 1.0
          weight_decay: 0.01
          decay_filter: ['layernorm', 'bias']
        AdamWeightDecay:
          learning_rate: 0.00001
          end_learning_rate: 0.0000000001
          power: 1.0
          weight_decay: 0.01
          decay_filter: ['layernorm', 'bias']
          eps: 0.000001
        Momentum:
          learning_rate: 0.00002
          momentum: 0.9
      """;
  private static final String OTHERS = """
      ---
      group_size: "how many"
      do_train: "whether"
      ---
      device_target: ['Ascend']
      do_train: ["true", "false"]
      """;

  @TempDir Path folder;
  private final List<String> notes = new ArrayList<>();

  private TrainConfig load(String yaml, String... keysAndValues) throws IOException {
    Map<String, String> set = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) set.put(keysAndValues[i], keysAndValues[i + 1]);
    notes.clear();
    return ConfigLoader.load(Files.writeString(folder.resolve("dyr_config.yaml"), yaml + OTHERS), set, notes::add);
  }

  private static String with(String line, String instead) {
    assertTrue(VALUES.contains(line), line);
    return VALUES.replace(line, instead);
  }

  private String failure(String yaml, String... set) {
    return assertThrows(ConfigException.class, () -> load(yaml, set)).getMessage()
        .replace(folder.resolve("dyr_config.yaml").toString(), "F");
  }

  private void assertNoted(String part) {
    assertTrue(notes.stream().anyMatch(note -> note.contains(part)), part + " in\n" + String.join("\n", notes));
  }

  @Test void everyKeyFindsItsPlace() throws IOException {
    TrainConfig c = load(VALUES);
    assertEquals(1, c.epochs());
    assertEquals(8, c.groupSize());
    assertEquals(1, c.batchGroups());
    assertEquals(512, c.maxLength());
    assertEquals(Optional.of(0.1), c.dropout());
    assertEquals(Optional.of(Path.of("bert")), c.pretrained());
    assertEquals(Optional.of(Path.of("groups.jsonl")), c.groups());
    assertEquals(Path.of("runs/ckpt"), c.out());
    assertTrue(c.shuffle());
    assertEquals(new OptimizerConfig("lamb", 1e-5, 1e-7, 1.0, 0.1, 0, 1e-6, 0.9, 0.999, 0.9), c.optimizer());
    assertEquals(1.0, c.clipNorm());
    assertEquals("cpu", c.device());
    assertEquals(Optional.of(false), c.useRelativePositions());
    assertEquals(c, ConfigLoader.load(Files.writeString(folder.resolve("ours.yaml"), c.toYaml()), Map.of()));
  }

  @Test void everyKeyIsReported() throws IOException {
    load(VALUES);
    for (String key : OriginalKeys.TABLE.keySet()) assertNoted(key);
    assertNoted("warning: dyr_version dry_base");
    assertNoted("taken as dyr_base");
    assertNoted("train_batch_size 1 -> batch_groups 1");
    assertNoted("device_target Ascend: no such device here");
    assertNoted("enable_modelarts False belongs to Huawei's ModelArts");
    assertNoted("optimizer_cfg.Lamb.weight_decay 0.01 is not handed to Lamb");
    assertNoted("optimizer_cfg.Momentum.momentum 0.9 is for Momentum, which is not chosen");
  }

  @Test void whatTheFileLacksIsReportedToo() throws IOException {
    TrainConfig c = load(with("train_batch_size: 1\n", "").replace("  seq_length: 512\n", ""));
    assertEquals(8, c.batchGroups());
    assertNoted("not in the file, so that this project's defaults hold: train_batch_size, dyr_net_cfg.seq_length");
    load(VALUES);
    assertFalse(notes.stream().anyMatch(note -> note.contains("not in the file")));
  }

  @Test void theOtherOptimizers() throws IOException {
    assertEquals(new OptimizerConfig("adam_weight_decay", 1e-5, 1e-10, 1.0, 0.1, 0.01, 1e-6, 0.9, 0.999, 0.9),
        load(with("optimizer: 'Lamb'", "optimizer: AdamWeightDecay")).optimizer());
    OptimizerConfig momentum = load(with("optimizer: 'Lamb'", "optimizer: Momentum")).optimizer();
    assertEquals("momentum", momentum.name());
    assertEquals(2e-5, momentum.learningRate());
    assertEquals(2e-5, momentum.endLearningRate(), "one rate from the first step to the last");
    assertEquals(0, momentum.warmupRatio());
  }

  @Test void relativePositionsAreTaken() throws IOException {
    TrainConfig c = load(with("use_relative_positions: False", "use_relative_positions: True"));
    assertEquals(Optional.of(true), c.useRelativePositions());
    assertNoted("dyr_net_cfg.use_relative_positions True -> use_relative_positions true");
  }

  @Test void setComesAfterTheTranslation() throws IOException {
    TrainConfig c = load(VALUES, "batch_groups", "4", "optimizer.weight_decay", "0.01", "dropout", "0.2");
    assertEquals(4, c.batchGroups());
    assertEquals(0.01, c.optimizer().weightDecay());
    assertEquals(Optional.of(0.2), c.dropout());
    assertNoted("train_batch_size 1 -> batch_groups 1, which gives way to --set");
    assertEquals("--set batch_size=4: unknown key 'batch_size'; did you mean 'optimizer.eps'? "
        .replace("optimizer.eps", NearestKey.to("batch_size")) + "(dyr train --help-config lists all keys)",
        failure(VALUES, "batch_size", "4"));
  }

  @Test void valuesMayStandAlone() throws IOException {
    Path file = Files.writeString(folder.resolve("one.yaml"), VALUES);
    assertEquals(load(VALUES), ConfigLoader.load(file, Map.of()));
    Files.writeString(file, VALUES + "---\n---\n");
    assertEquals(load(VALUES), ConfigLoader.load(file, Map.of()));
    Files.writeString(file, VALUES + OTHERS + "---\na: b\n");
    assertTrue(assertThrows(ConfigException.class, () -> ConfigLoader.load(file, Map.of())).getMessage()
        .contains("a fourth YAML document"));
    Files.writeString(file, VALUES + "---\n- a\n");
    assertTrue(assertThrows(ConfigException.class, () -> ConfigLoader.load(file, Map.of())).getMessage()
        .contains("descriptions and choices must be"));
  }

  @Test void compressionAndMindRecordAreTaken() throws IOException {
    String text = VALUES.replace("dyr_version: \"dry_base\"", "dyr_version: DYR")
        .replace("groups.jsonl", "train.mindrecord");
    TrainConfig c = load(text);
    assertEquals("dyr", c.version());
    assertEquals(15, c.compression().kept());
    assertEquals(Path.of("train.mindrecord"), c.groups().orElseThrow());
  }

  @Test void ourOwnFilesAreOneDocument() throws IOException {
    Path file = Files.writeString(folder.resolve("ours.yaml"), "out: o\ndata: d\npretrained: p\n---\nout: x\n");
    assertEquals(file + ":5: a second YAML document; one is needed",
        assertThrows(ConfigException.class, () -> ConfigLoader.load(file, Map.of())).getMessage());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "dyr_version: \"dry_base\"|dyr_version: dyr2|F:1: dyr_version must be dyr_base or dyr, not 'dyr2'",
      "group_num: 1|group_num: 0|F:5: group_num: group_num must be from 1 to 1024, not 0",
      "\"groups.jsonl\"|''|F:7: train_data_file_path is empty",
      "\"bert\"|''|F:8: load_pretrain_checkpoint_path is empty: the original does not train without",
      "do_train: \"true\"|do_train: \"false\"|F:12: do_train false: this command trains",
      "do_eval: \"true\"|do_eval: maybe|F:13: do_eval must be \"true\" or \"false\"",
      "\"Ascend\"|TPU|F:20: device_target must be Ascend, GPU or CPU, not 'TPU'",
      "use_relative_positions: False|use_relative_positions: 2|F:44: dyr_net_cfg.use_relative_positions: use_rel",
      " dtype: mstype.float32| dtype: mstype.float16|F:45: dyr_net_cfg.dtype mstype.float16 asks for weights in",
      "compute_type: mstype.float32|compute_type: mstype.int8|F:46: dyr_net_cfg.compute_type: compute_type must be one",
      "hidden_dropout_prob: 0.1|hidden_dropout_prob: 0.2|F:41: dyr_net_cfg.hidden_dropout_prob 0.2 differs from",
      "optimizer: 'Lamb'|optimizer: Adam|F:48: optimizer_cfg.optimizer must be AdamWeightDecay, Lamb or Momentum",
      "group_size: 8|group_size: 1|F:4: group_size: group_size must be at least 2, not 1",
      "train_batch_size: 1|train_batch_size: x|F:3: train_batch_size: batch_groups must be an integer, not 'x'",
      "train_data_shuffle: \"true\"|train_data_shuffle: 2|F:6: train_data_shuffle: shuffle must be true or false",
      "epoch_num: 1|epoch_size: 1|F:2: unknown key 'epoch_size'; did you mean 'epoch_num'?",
      "seq_length|sequence_length|F:34: unknown key 'dyr_net_cfg.sequence_length'; did you mean 'dyr_net_cfg.seq_l",
      "epoch_num: 1|seed: 1|F:2: seed is a key of this project, not of the original's file; give it with --set seed=",
      "epoch_num: 1|optimizer_cfg: 1|F:47: optimizer_cfg is already given|",
      "epoch_num: 1|group_size: 8|F:4: group_size is already given at F:2",
      "epoch_num: 1|epoch_num: {a: 1}|F:2: epoch_num takes one value, or a list of names"})
  void whatStandsInTheWayIsNamed(String line, String instead, String message) {
    String failure = failure(with(line, instead));
    if (instead.startsWith("optimizer_cfg")) assertTrue(failure.startsWith("F:2: optimizer_cfg is a section"), failure);
    else assertTrue(failure.startsWith(message), failure);
  }

  @Test void allThatStandsInTheWayIsNamedAtOnce() {
    String failure = failure(with("\"dry_base\"", "dyr2").replace("\"Ascend\"", "TPU"));
    assertEquals(2, failure.lines().count(), failure);
    assertTrue(failure.contains("not 'dyr2'") && failure.contains("not 'TPU'"), failure);
  }

  @Test void setSettlesWhatTheFileAsksForInVain() throws IOException {
    String yaml = with("groups.jsonl", "train.mindrecord")
        .replace("\"bert\"", "bert_base.ckpt");
    TrainConfig c = load(yaml, "data", "d", "pretrained", "p");
    assertEquals(Optional.of(Path.of("d")), c.data());
    assertEquals(Optional.of(Path.of("p")), c.pretrained());
    assertNoted("train_data_file_path train.mindrecord gives way to --set data");
    assertNoted("load_pretrain_checkpoint_path bert_base.ckpt gives way to --set pretrained");
    assertEquals(Optional.of(Path.of("d")), load(VALUES, "data", "d").data(), "and not its groups besides");
    assertNoted("train_data_file_path groups.jsonl gives way to --set data");
    Path texts = Files.createDirectory(folder.resolve("texts"));
    Files.writeString(texts.resolve("collection.tsv"), "p\ttext\n");
    TrainConfig other = load(with("groups.jsonl", texts.toString()), "groups", "g.jsonl");
    assertEquals(Optional.of(Path.of("g.jsonl")), other.groups());
    assertEquals(Optional.empty(), other.data());
    assertNoted("train_data_file_path " + texts + " gives way to --set groups");
  }

  @Test void groupsOfDevicesAreGroupsOfRanks() throws IOException {
    String yaml = with("group_num: 1", "group_num: 2");
    assertEquals(new BlockSplit(2, 2, Balance.SAMPLES), load(yaml).split());
    assertNoted("group_num 2 -> group_num 2");
    assertNoted("how many devices there are, the original's launcher says");
    assertEquals(new BlockSplit(8, 2, Balance.SAMPLES), load(yaml, "ranks", "8").split());
    assertFalse(notes.stream().anyMatch(note -> note.contains("how many devices")), notes.toString());
    assertTrue(failure(yaml, "ranks", "3").startsWith("F: ranks 3, group_num 2 and group_size 8 do not divide"));
  }

  @Test void theEvaluationsFilesAreTaken() throws IOException {
    String yaml = with("eval_data_file_path: \"\"", "eval_data_file_path: e.mindrecord");
    assertEquals(new EvalFiles(Optional.of(Path.of("e.mindrecord")), Optional.of(Path.of("ids.tsv")),
        Optional.of(Path.of("msmarco-docdev-qrels.tsv")), Optional.of(Path.of("score.txt"))), load(yaml).evalFiles());
    assertEquals(EvalFiles.NONE, load(VALUES).evalFiles());
    assertNoted("save_score_path score.txt goes with eval_data_file_path, which is not read");
    assertEquals(EvalFiles.NONE, load(yaml.replace("do_eval: \"true\"", "do_eval: \"false\"")).evalFiles());
    assertNoted("eval_data_file_path e.mindrecord is not read");
  }

  @Test void aCheckpointIsTakenWithItsHeads() throws IOException {
    TrainConfig c = load(with("\"bert\"", "bert_base.ckpt").replace("attention_heads: 12", "attention_heads: 6"));
    assertEquals(Optional.of(Path.of("bert_base.ckpt")), c.pretrained());
    assertEquals(6, c.find(ConfigKeys.ATTENTION_HEADS).orElseThrow());
    assertTrue(c.saveCkpt(), "as the original does");
    assertEquals(0, load(VALUES).find(ConfigKeys.ATTENTION_HEADS).orElseThrow(), "a directory has its config.json");
    assertTrue(failure(with("\"bert\"", "bert_base.ckpt").replace("hidden_act: \"gelu\"", "hidden_act: relu"))
        .startsWith("F:40: dyr_net_cfg.hidden_act relu: a .ckpt is taken to have gelu"));
  }

  @Test void aFolderOfTextIsData() throws IOException {
    Path data = Files.createDirectory(folder.resolve("data"));
    Files.writeString(data.resolve("collection.tsv"), "p\ttext\n");
    TrainConfig c = load(with("groups.jsonl", data.toString()).replace("do_eval: \"true\"", "do_eval: \"false\""));
    assertEquals(Optional.of(data), c.data());
    assertEquals("none", c.devSplit());
  }

  @Test void theModelMustBeTheOneTheFileMeans() throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    Files.writeString(model.resolve("config.json"), """
        {"vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12,
         "intermediate_size": 3072, "hidden_act": "gelu"}
        """);
    String failure = failure(with("\"bert\"", model.toString()));
    assertTrue(failure.startsWith("F:38: dyr_net_cfg.num_hidden_layers is 12, but " + model.resolve("config.json")
        + " has 6"), failure);
    TrainConfig c = load(with("\"bert\"", model.toString()), "dyr_net_cfg.num_hidden_layers", "6");
    assertEquals(Optional.of(model), c.pretrained());
    assertNoted("gelu by erf");
    assertEquals(Optional.of(model), load(VALUES, "pretrained", model.toString()).pretrained());
    assertNoted("num_hidden_layers 12 gives way to " + model.resolve("config.json") + ", which --set names: 6");
  }
}
