package org.dyr.tests.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dyr.ranker.cli.Main;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * The original's configuration with the values that it was published with drives runs at toy size by {@code --set}
 * alone: with this project's keys, and with its own.
 */
class PublishedConfigTest {
  private static final String PUBLISHED = """
      enable_modelarts: False
      data_url: ""
      train_url: ""
      checkpoint_url: ""
      data_path: "/cache/data"
      output_path: "/cache/train"
      load_path: "/cache/checkpoint_path"
      device_target: "Ascend"
      enable_profiling: False
      description: "run_dyr"
      dyr_version: "dry_base"
      do_train: "true"
      do_eval: "true"
      device_id: 0
      epoch_num: 1
      group_size: 8
      group_num: 1
      train_data_shuffle: "true"
      eval_data_shuffle: "false"
      train_batch_size: 1
      eval_batch_size: 1
      save_finetune_checkpoint_path: "./classifier_finetune/ckpt/"
      load_pretrain_checkpoint_path: ""
      load_finetune_checkpoint_path: ""
      train_data_file_path: ""
      eval_data_file_path: ""
      eval_ids_path: "ids.tsv"
      eval_qrels_path: "msmarco-docdev-qrels.tsv"
      save_score_path: "score.txt"
      schema_file_path: ""
      optimizer_cfg:
          optimizer: 'Lamb'
          AdamWeightDecay:
              learning_rate: 0.00001
              end_learning_rate: 0.0000000001
              power: 1.0
              weight_decay: 0.01
              decay_filter: ['layernorm', 'bias']
              eps: 0.000001
          Lamb:
              learning_rate: 0.00001
              end_learning_rate: 0.0000001
              power: 1.0
              weight_decay: 0.01
              decay_filter: ['layernorm', 'bias']
          Momentum:
              learning_rate: 0.00002
              momentum: 0.9
      dyr_net_cfg:
          seq_length: 512
          vocab_size: 30522
          hidden_size: 768
          num_hidden_layers: 12
          num_attention_heads: 12
          intermediate_size: 3072
          hidden_act: "gelu"
          hidden_dropout_prob: 0.1
          attention_probs_dropout_prob: 0.1
          max_position_embeddings: 512
          type_vocab_size: 2
          initializer_range: 0.02
          use_relative_positions: False
          dtype: mstype.float32
          compute_type: mstype.float16
      ---
      group_size: "samples of a block"
      ---
      device_target: ['Ascend']
      do_train: ["true", "false"]
      do_eval: ["true", "false"]
      """;

  @TempDir Path folder;
  private Path config;

  @BeforeEach
  void write() throws IOException {
    TinyData.write(folder);
    config = Files.writeString(folder.resolve("dyr_config.yaml"), PUBLISHED);
  }

  /** Runs a command and gives all that it printed. */
  private static String run(String... arguments) {
    CommandLine line = Main.commandLine();
    StringWriter text = new StringWriter();
    line.setOut(new PrintWriter(text)).setErr(new PrintWriter(text));
    assertEquals(0, line.execute(arguments), () -> String.join(" ", arguments) + "\n" + text);
    return text.toString();
  }

  private String train(String... settings) {
    List<String> arguments = new ArrayList<>(List.of("train", "--config", config.toString()));
    Stream.of(settings).forEach(s -> arguments.addAll(List.of("--set", s)));
    return run(arguments.toArray(new String[0]));
  }

  /** Two steps in fp16 with the loss scaled. */
  private static void assertTrained(Path out) throws IOException {
    List<JsonNode> steps = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) steps.add(new ObjectMapper().readTree(line));
    assertEquals(2, steps.size());
    for (JsonNode step : steps) {
      assertEquals(65536, step.get("loss_scale").asDouble());
      assertTrue(step.get("loss").asDouble() > 0.1 && step.get("grad_norm").asDouble() > 0, step.toString());
    }
    assertTrue(Files.isRegularFile(out.resolve("model/model.safetensors")));
  }

  @Test void byThisProjectsKeysAndByItsOwn() throws IOException {
    Path first = folder.resolve("first"), second = folder.resolve("second");
    String said = train("model_config=" + folder.resolve("config.json"), "vocab=" + folder.resolve("vocab.txt"),
        "data=" + folder, "out=" + first, "max_steps=2", "group_size=3", "max_length=24", "max_query_length=8");
    assertTrained(first);
    assertTrue(said.contains("dry_base is a misspelling in the published file; taken as dyr_base"), said);
    assertTrue(said.contains("dyr_net_cfg.hidden_size 768 gives way to " + folder.resolve("config.json")), said);
    assertTrue(said.contains("compute_type float16") && said.contains("device_target Ascend: no such device"), said);

    Path checkpoint = folder.resolve("toy.ckpt"), records = folder.resolve("toy.mindrecord");
    run("convert", "--from", first.resolve("model").toString(), "--to", checkpoint.toString());
    run("prepare", "--data", folder.toString(), "--split", "train", "--vocab", folder.resolve("vocab.txt").toString(),
        "--out", records.toString(), "--group-size", "3", "--max-length", "24", "--max-query-length", "8");
    said = train("load_pretrain_checkpoint_path=" + checkpoint, "train_data_file_path=" + records,
        "save_finetune_checkpoint_path=" + second, "do_eval=false", "dyr_net_cfg.seq_length=24",
        "dyr_net_cfg.hidden_size=16", "dyr_net_cfg.num_hidden_layers=2", "dyr_net_cfg.num_attention_heads=2",
        "dyr_net_cfg.intermediate_size=32", "dyr_net_cfg.vocab_size=" + TinyData.VOCABULARY,
        "dyr_net_cfg.max_position_embeddings=32", "group_size=3", "max_query_length=8", "max_steps=2");
    assertTrained(second);
    try (Stream<Path> saved = Files.walk(second)) {
      assertEquals(1, saved.filter(p -> p.toString().endsWith(".ckpt")).count(), said);
    }
  }
}
