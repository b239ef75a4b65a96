package org.dyr.ranker.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dyr.ranker.model.ModelSource;
import org.dyr.ranker.remote.RemotePaths;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

class ConfigTest {
  private static final Map<String, String> LEAST = Map.of("data", "d", "pretrained", "p", "out", "o");

  @TempDir Path folder;

  private static TrainConfig with(String... keysAndValues) {
    Map<String, String> settings = new HashMap<>(LEAST);
    for (int i = 0; i < keysAndValues.length; i += 2) settings.put(keysAndValues[i], keysAndValues[i + 1]);
    return ConfigLoader.of(settings);
  }

  private TrainConfig load(String yaml, Map<String, String> overrides) throws IOException {
    return ConfigLoader.load(Files.writeString(folder.resolve("train.yaml"), yaml), overrides);
  }

  private String failure(String yaml) {
    return assertThrows(ConfigException.class, () -> load(yaml, Map.of())).getMessage()
        .replace(folder.resolve("train.yaml").toString(), "F");
  }

  @Test void defaultsAreThoseOfTheDocumentation() {
    assertEquals("""
        data: d
        train_split: train
        dev_split: dev
        pretrained: p
        out: o
        seed: 42
        epochs: 1
        max_steps: 0
        group_size: 8
        batch_groups: 8
        group_num: 1
        ranks: 0
        balance: samples
        max_length: 512
        max_query_length: 64
        shuffle: true
        relevant_from: 1
        version: dyr_base
        negatives_kept: 15
        compression: two_pass
        compression.levels: []
        optimizer:
          name: lamb
          learning_rate: 1.0e-5
          end_learning_rate: 1.0e-7
          power: 1.0
          warmup_ratio: 0.1
          weight_decay: 0.01
          eps: 1.0e-6
          beta1: 0.9
          beta2: 0.999
          momentum: 0.9
        clip_norm: 1.0
        compute_type: float32
        recompute: none
        accumulate: 1
        token_budget: 16384
        checkpoint_every: 0
        keep_checkpoints: 1
        eval_every: 0
        eval_queries: 0
        device: cpu
        kernels: auto
        cpu_features: auto
        launching: recorded
        threads: 0
        fusions_off: []
        attention_heads: 0
        save_ckpt: false
        """, with().toYaml());
  }

  @Test void theHelpIsYamlAndHoldsEveryDefault() throws IOException {
    assertEquals(with(), load(ConfigLoader.help(), LEAST));
    Map<String, Object> byOthers = new Yaml(new SafeConstructor(new LoaderOptions())).load(ConfigLoader.help());
    Set<String> names = new HashSet<>();
    byOthers.forEach((name, value) -> {
      if (value instanceof Map<?, ?> section) section.keySet().forEach(leaf -> names.add(name + "." + leaf));
      else names.add(name);
    });
    Set<String> known = new HashSet<>();
    ConfigKeys.ALL.forEach(key -> known.add(key.name()));
    assertEquals(known, names);
    assertTrue(ConfigLoader.help().lines().allMatch(line -> line.length() <= 120));
  }

  @Test void nestedAndDottedAndOverridesMeet() throws IOException {
    TrainConfig c = load("""
        data: d
        out: "a b: c"
        pretrained: 007
        optimizer:
          name: momentum
          learning_rate: 1e-3
        optimizer.momentum: 0.5
        dropout: ~
        shuffle: false
        fusions_off: [bias_gelu, 'x']
        """, Map.of("optimizer.learning_rate", "2e-3", "epochs", "3", "fusions_off", "a,b"));
    assertEquals(Path.of("a b: c"), c.out());
    assertEquals(Optional.of(Path.of("007")), c.pretrained());
    assertEquals("momentum", c.optimizer().name());
    assertEquals(2e-3, c.optimizer().learningRate());
    assertEquals(0.5, c.optimizer().momentum());
    assertEquals(Optional.empty(), c.dropout());
    assertFalse(c.shuffle());
    assertEquals(3, c.epochs());
    assertEquals(List.of("a", "b"), c.fusionsOff());
  }

  @Test void compressionIsAKeyAndASection() throws IOException {
    assertEquals(Compression.NONE, with("compression", "in_graph").compression());
    assertEquals(new Compression(Compression.Form.TWO_PASS, List.of(Compression.Level.model(15))),
        with("version", "dyr").compression());
    assertEquals(new Compression(Compression.Form.IN_GRAPH, List.of(Compression.Level.model(7))),
        with("version", "dyr", "compression", "in_graph", "negatives_kept", "7").compression());
    String levels = """
        data: d
        pretrained: p
        out: o
        version: dyr
        compression:
          levels:
            - retrieval keep 64
            - layers 2 keep 32
            - model keep 15
        """;
    TrainConfig c = load(levels, Map.of());
    assertEquals(List.of("retrieval keep 64", "layers 2 keep 32", "model keep 15"),
        c.compression().levels().stream().map(Object::toString).toList());
    assertEquals(15, c.compression().kept());
    assertEquals(c, load(c.toYaml(), Map.of()));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "compression.levels|model 15|compression.levels must be a list of levels",
      "compression.levels|layers keep 3|compression.levels must be a list of levels",
      "compression.levels|model keep 4, model keep 4|compression.levels: each level must keep fewer than the one "
          + "before",
      "version|new|version must be one of dyr_base, dyr"})
  void aWrongLevelIsRefused(String key, String text, String expected) {
    Map<String, String> settings = new HashMap<>(LEAST);
    settings.put("version", "dyr");
    settings.put(key, text);
    String message = assertThrows(ConfigException.class, () -> ConfigLoader.of(settings)).getMessage();
    assertTrue(message.contains(expected), message);
  }

  @Test void writtenConfigurationReadsBackEqual() throws IOException {
    TrainConfig c = with("dropout", "0.25", "fusions_off", "[a, b]", "optimizer.eps", "1e-12", "seed", "-7",
        "out", "odd \"name\": # \\ \u00e4", "train_split", "no", "dev_split", "null", "vocab", "12");
    assertEquals(c, load(c.toYaml(), Map.of()));
    Map<String, Object> byOthers = new Yaml(new SafeConstructor(new LoaderOptions())).load(c.toYaml());
    assertEquals("no", byOthers.get("train_split"));
    assertEquals(1e-12, ((Map<?, ?>) byOthers.get("optimizer")).get("eps"));
    assertFalse(byOthers.containsKey("groups"));
  }

  @ParameterizedTest
  @CsvSource({"epoch, epochs", "learning_rate, optimizer.learning_rate",
      "optimizer.learnin_rate, optimizer.learning_rate", "batchgroups, batch_groups", "Seed, seed",
      "optimizer.nam, optimizer.name", "maxlength, max_length"})
  void anUnknownKeySuggestsTheNearest(String unknown, String nearest) {
    String message = assertThrows(ConfigException.class, () -> with(unknown, "1")).getMessage();
    assertTrue(message.contains("unknown key '%s'; did you mean '%s'?".formatted(unknown, nearest)), message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "epochs|two|epochs must be an integer, not 'two'",
      "epochs|1.5|epochs must be an integer, not '1.5'",
      "epochs|0|epochs must be at least 1, not 0",
      "seed|99999999999999999999|seed must be an integer",
      "clip_norm|NaN|clip_norm must be a number, not 'NaN'",
      "clip_norm|0x1p3|clip_norm must be a number",
      "clip_norm|-1|clip_norm must be at least 0, not -1",
      "dropout|1|dropout must be at least 0 and below 1, not 1",
      "optimizer.power|0|optimizer.power must be above 0, not 0",
      "shuffle|maybe|shuffle must be true or false, not 'maybe'",
      "optimizer.name|adam|optimizer.name must be one of lamb, adam_weight_decay, momentum, not 'adam'",
      "kernels|fast|kernels must be one of auto, reference, vector, openblas, native, not 'fast'",
      "group_size|1|group_size must be at least 2, not 1",
      "token_budget|2147483647|token_budget must be from 1 to 2013265920, not 2147483647",
      "optimizer|lamb|optimizer is a section; its keys are name, learning_rate,"})
  void aWrongValueSaysWhatIsExpected(String key, String text, String expected) {
    String message = assertThrows(ConfigException.class, () -> with(key, text)).getMessage();
    assertTrue(message.startsWith("--set %s=%s: %s".formatted(key, text, expected)), message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "groups|g|give data or groups, not both",
      "data|''|give data or groups",
      "model_config|m|give model_config or pretrained, not both",
      "pretrained|''|give model_config or pretrained",
      "out|''|out is needed",
      "max_length|67|max_length 67 leaves no room",
      "token_budget|511|token_budget 511 must be at least max_length 512",
      "batch_groups|2147483647|batch_groups 2147483647, group_num 1 and accumulate 1 are too many groups for a step: "
          + "their product must be at most 2013265920",
      "optimizer.end_learning_rate|1e-4|optimizer.end_learning_rate 1.0E-4 must not be above"})
  void keysThatDoNotFitTogether(String key, String text, String expected) {
    String message = assertThrows(ConfigException.class, () -> with(key, text)).getMessage();
    assertTrue(message.startsWith(expected), message);
  }

  @Test void theGroupsOfAStepAreCounted() {
    String most = "2147483647";
    for (String[] keys : new String[][] {{"batch_groups", "65536", "accumulate", "65536"},
        {"batch_groups", most, "accumulate", most, "group_num", "1024", "group_size", "1024"}}) {
      String message = assertThrows(ConfigException.class, () -> with(keys)).getMessage();
      assertTrue(message.endsWith("are too many groups for a step: their product must be at most 2013265920"), message);
    }
    assertEquals(2_013_265_920, with("batch_groups", "2013265920", "token_budget", "2013265920").batchGroups());
  }

  @Test void ranksAreAsManyAsTheGroupsUnlessGiven() {
    assertEquals(BlockSplit.NONE, with().split());
    assertEquals(new BlockSplit(4, 4, Balance.SAMPLES), with("group_num", "4").split());
    assertEquals(new BlockSplit(8, 2, Balance.SAMPLES), with("group_num", "2", "ranks", "8").split());
    assertEquals(new BlockSplit(6, 2, Balance.TOKENS),
        with("group_num", "2", "ranks", "6", "balance", "tokens").split());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "6|4|8|samples|6 ranks can have group_num 3, 6; group_num 4 can have ranks 4, 8, 16, 32; with balance tokens",
      "1|2|8|samples|1 ranks can have group_num 1; group_num 2 can have ranks 2, 4, 8, 16; with balance tokens",
      "4|1|6|samples|4 ranks can have group_num 2, 4; group_num 1 can have ranks 1, 2, 3, 6; with balance tokens",
      "6|4|8|tokens|6 ranks can have group_num 1, 2, 3, 6; group_num 4 can have ranks that are any multiple of it"})
  void ranksThatDoNotDivideAreToldWhichDo(String ranks, String groups, String size, String balance, String advice) {
    String message = assertThrows(ConfigException.class,
        () -> with("ranks", ranks, "group_num", groups, "group_size", size, "balance", balance)).getMessage();
    String fault = "ranks %s, group_num %s and group_size %s do not divide: ".formatted(ranks, groups, size);
    assertTrue(message.startsWith(fault + advice), message);
  }

  @Test void aCheckpointMayHaveAConfig() {
    TrainConfig c = with("pretrained", "b.ckpt", "model_config", "m");
    assertEquals(Optional.of(new ModelSource(Path.of("b.ckpt"), Optional.of(Path.of("m")), Optional.empty(), 0)),
        c.source());
    assertEquals(Optional.empty(), with("pretrained", "b.ckpt").modelConfig());
  }

  @Test void pathsInBucketsStayWhatTheyAre() throws IOException {
    TrainConfig c = with("data", "s3://bucket/a/b", "out", "s3://bucket/run/");
    assertEquals("s3://bucket/a/b", RemotePaths.text(c.data().orElseThrow()));
    assertTrue(c.toYaml().contains("out: \"s3://bucket/run\""), c.toYaml());
    assertEquals(c, load(c.toYaml(), Map.of()));
    assertEquals("--set out=s3://: out must be a path, not 's3://'",
        assertThrows(ConfigException.class, () -> with("out", "s3://")).getMessage());
  }

  @Test void pairsNeedIdsAndJudgements() {
    EvalFiles files = with("eval_records", "e", "eval_ids", "i", "eval_qrels", "q", "eval_scores", "s").evalFiles();
    assertEquals(Optional.of(Path.of("s")), files.scores());
    assertEquals("eval_records needs eval_ids and eval_qrels",
        assertThrows(ConfigException.class, () -> with("eval_records", "e", "eval_ids", "i")).getMessage());
    assertEquals("eval_ids, eval_qrels and eval_scores are for eval_records, which is not given",
        assertThrows(ConfigException.class, () -> with("eval_scores", "s")).getMessage());
  }

  @Test void vocabIsNeededWithModelConfig() {
    String message = assertThrows(ConfigException.class, () -> with("pretrained", "", "model_config", "m"))
        .getMessage();
    assertTrue(message.startsWith("vocab is needed with model_config"), message);
    assertEquals(Optional.of(Path.of("v")), with("pretrained", "", "model_config", "m", "vocab", "v").vocab());
  }

  @Test void faultsOfAFileNameTheLine() {
    assertEquals("F:3: epochs is already given at F:1", failure("epochs: 1\nseed: 2\nepochs: 2\n"));
    assertEquals("F:3: optimizer.name is already given at F:2",
        failure("optimizer:\n  name: lamb\noptimizer.name: lamb\n"));
    assertEquals("F:2: epochs must be an integer, not 'x'", failure("seed: 1\nepochs: x\n"));
    assertEquals("F:1: epochs takes one value, not a list", failure("epochs: [1]\n"));
    assertEquals("F:1: epochs takes one value, not a map", failure("epochs: {a: 1}\n"));
    assertTrue(failure("optimiser:\n  name: lamb\n").startsWith("F:2: unknown key 'optimiser'"));
    assertTrue(failure("optimizer: lamb\n").startsWith("F:1: optimizer is a section; its keys are name"));
    assertTrue(failure("seed: 1\nepochs: [\n").matches("F:[23]: not YAML: .*"));
    assertTrue(failure("- a\n").startsWith("F:1: 'key: value' lines are needed"));
    assertEquals("F: give data or groups", failure("# nothing\n"));
    assertTrue(failure("a: &x {<<: *x}\n").startsWith("F:1: unknown key 'a'"));
  }

  @Test void editDistance() {
    assertEquals(0, NearestKey.distance("seed", "seed"));
    assertEquals(3, NearestKey.distance("kitten", "sitting"));
    assertEquals(4, NearestKey.distance("", "seed"));
    assertEquals(1, NearestKey.distance("sed", "seed"));
  }
}
