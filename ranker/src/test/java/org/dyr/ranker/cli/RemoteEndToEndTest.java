package org.dyr.ranker.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.demo.Sample;
import org.dyr.ranker.remote.Buckets;
import org.dyr.ranker.remote.RemoteException;
import org.dyr.ranker.remote.RemotePaths;
import org.dyr.ranker.train.ConfigException;
import org.dyr.ranker.train.ConfigLoader;
import org.dyr.ranker.train.RemoteRun;
import org.dyr.ranker.train.TrainConfig;
import org.dyr.ranker.train.TrainingListener;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;

/** Everything in a bucket: configuration, data, vocabulary, the run that comes of them, and what its model gives. */
class RemoteEndToEndTest {
  @TempDir static Path folder;
  private static Path cache;
  private static Buckets buckets;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... args) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @BeforeAll static void fill() throws IOException {
    cache = folder.resolve("cache");
    buckets = new Buckets(cache);
    Path sample = folder.resolve("sample");
    Sample.writeTo(sample);
    few(sample);
    try (var files = Files.list(sample)) {
      for (Path file : files.toList()) buckets.put("data/" + file.getFileName(), file);
    }
    buckets.put("words/vocab.txt", sample.resolve(Sample.VOCAB));
    put("config.json", """
        {"vocab_size": 640, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 16, "max_position_embeddings": 64}
        """);
    put("train.yaml", """
        data: %1$s
        model_config: %2$s
        vocab: %3$s
        out: %4$s
        max_steps: 2
        group_size: 3
        batch_groups: 2
        max_length: 64
        max_query_length: 24
        threads: 1
        """.formatted(Buckets.url("data"), Buckets.url("config.json"), Buckets.url("words/vocab.txt"),
        Buckets.url("runs/first")));
  }

  /** The first queries of the test split as a split dev. */
  private static void few(Path sample) throws IOException {
    List<String> queries = Files.readAllLines(sample.resolve("queries.test.tsv")).subList(0, 4);
    Set<String> qids = queries.stream().map(line -> line.split("\t")[0]).collect(Collectors.toSet());
    try (var files = Files.list(sample)) {
      for (Path file : files.filter(f -> f.getFileName().toString().endsWith(".test.tsv")).toList()) {
        Files.write(file.resolveSibling(file.getFileName().toString().replace(".test.", ".dev.")),
            Files.readAllLines(file).stream().filter(line -> qids.contains(line.split("\t")[0])).toList());
      }
    }
  }

  @AfterAll static void stop() {
    buckets.close();
  }

  private static void put(String key, String text) {
    buckets.put(key, text.getBytes(StandardCharsets.UTF_8));
  }

  private static long lines(String key) {
    return new String(buckets.get(key), StandardCharsets.UTF_8).lines().count();
  }

  private int train(String... more) {
    List<String> args = new ArrayList<>(List.of("train", "--config", Buckets.url("train.yaml")));
    args.addAll(List.of(more));
    return execute(args.toArray(String[]::new));
  }

  @Test void aRunLivesInABucket() throws IOException {
    assertEquals(0, train(), err.toString());
    assertTrue(out.toString().endsWith("models in " + Buckets.url("runs/first") + "\n"), out.toString());
    List<String> keys = buckets.keys("runs/first/");
    for (String name : List.of("best/model.safetensors", "best/vocab.txt", "model/model.safetensors",
        "model/config.json", "checkpoints/step-000002/training.json", "checkpoints/step-000002/optimizer.safetensors",
        "metrics.jsonl")) {
      assertTrue(keys.contains("runs/first/" + name), name + " in " + keys);
    }
    assertEquals(2, lines("runs/first/metrics.jsonl"));
    assertTrue(new String(buckets.get("runs/first/checkpoints/step-000002/train.yaml"), StandardCharsets.UTF_8)
        .contains("data: \"" + Buckets.url("data") + "\""), "the configuration keeps the bucket's names");
    assertFalse(Files.exists(RemotePaths.output(Buckets.url("runs/first"))), "the local copy has done its work");

    assertEquals(1, train());
    assertTrue(err.toString().endsWith("out " + Buckets.url("runs/first") + " has the checkpoints of another run: go "
        + "on with it (--resume " + Buckets.url("runs/first") + "), or name another out\n"), err.toString());

    AtomicFiles.removeTree(cache); // as on another machine
    assertEquals(0, train("--resume", Buckets.url("runs/first"), "--set", "max_steps=4"), err.toString());
    assertTrue(err.toString().contains("after step 2"), err.toString());
    assertEquals(4, lines("runs/first/metrics.jsonl"));
    assertEquals(List.of(), buckets.keys("runs/first/checkpoints/step-000002"), "the newest one is kept");
    assertFalse(buckets.keys("runs/first/checkpoints/step-000004/").isEmpty());

    assertEquals(0, execute("eval", "--model", Buckets.url("runs/first/best"), "--data", Buckets.url("data"), "--split",
        "dev", "--out", Buckets.url("eval/first"), "--threads", "1"), err.toString());
    assertEquals(List.of("eval/first/metrics.json", "eval/first/run.trec", "eval/first/scores.tsv"),
        buckets.keys("eval/"));
    Path local = folder.resolve("local");
    assertEquals(0, execute("eval", "--model", Buckets.url("runs/first/best"), "--data",
        folder.resolve("sample").toString(), "--split", "dev", "--out", local.toString(), "--threads", "1"),
        err.toString());
    assertArrayEquals(Files.readAllBytes(local.resolve("scores.tsv")), buckets.get("eval/first/scores.tsv"));
    try (var left = Files.list(cache.resolve("s3"))) {
      assertEquals(List.of(), left.filter(f -> f.getFileName().toString().startsWith("written-")).toList());
    }

    assertEquals(0, execute("convert", "--from", Buckets.url("runs/first/model"), "--to", Buckets.url("model.ckpt")),
        err.toString());
    assertEquals(0, execute("inspect", Buckets.url("model.ckpt")), err.toString());
    assertEquals(1, execute("convert", "--from", Buckets.url("model.ckpt"), "--to", Buckets.url("runs/first/model")));
    assertTrue(err.toString().contains("is there already and not empty"), err.toString());
  }

  @Test void groupsAreWrittenToABucketAndTrainedOn() throws IOException {
    assertEquals(0, execute("prepare", "--data", Buckets.url("data"), "--vocab", Buckets.url("words/vocab.txt"),
        "--out", Buckets.url("groups/train.mindrecord"), "--group-size", "3", "--max-length", "64",
        "--max-query-length", "24", "--packed"), err.toString());
    assertEquals(List.of("groups/train.mindrecord", "groups/train.mindrecord.db"), buckets.keys("groups/"));
    Path run = folder.resolve("groups-run");
    assertEquals(0, train("--set", "data=", "--set", "groups=" + Buckets.url("groups/train.mindrecord"), "--set",
        "out=" + run, "--set", "max_steps=1", "--set", "save_ckpt=true"), err.toString());
    assertTrue(Files.exists(run.resolve("model/model.safetensors")) && Files.exists(run.resolve("ckpt_0")));
  }

  private void assertFails(String message, String... args) {
    assertEquals(1, execute(args), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
  }

  @Test void whatIsWrongIsNamed() {
    assertFails("dyr train: " + Buckets.url("no.yaml") + ": no such object or folder", "train", "--config",
        Buckets.url("no.yaml"));
    assertFails("dyr train: s3://nowhere-at-all/run: no such bucket", "train", "--config", Buckets.url("train.yaml"),
        "--set", "out=s3://nowhere-at-all/run");
    assertFails("dyr train: " + Buckets.url("nodata") + ": no such object or folder", "train", "--config",
        Buckets.url("train.yaml"), "--set", "data=" + Buckets.url("nodata"));
    buckets.withoutCredentials(() -> assertFails("no credentials: AWS_ACCESS_KEY_ID", "train", "--config",
        Buckets.url("train.yaml")));
    assertEquals(2, execute("score", "--model", "s3://b/../x", "--pairs", "p", "--out", "o"));
    assertTrue(err.toString().contains("'..' as part of a key"), err.toString());
  }

  /** What came before the connection broke is no run: the next resume would take it for one without metrics. */
  @Test void aResumeThatBreaksBeginsAnew() throws IOException {
    put("runs/torn/checkpoints/step-000002/training.json", "{}");
    put("runs/torn/metrics.jsonl", "{}\n{}\n");
    TrainConfig config = ConfigLoader.of(Map.of("data", "d", "pretrained", "p", "out", Buckets.url("runs/torn")));
    Optional<Path> resume = Optional.of(RemotePaths.input(Buckets.url("runs/torn")));
    assertThrows(RemoteException.class, () -> buckets.refusing(GetObjectRequest.class, "runs/torn/metrics.jsonl",
        () -> new RemoteRun(config, new TrainingListener() {}, line -> {}).begin(resume)));
    assertEquals(Optional.of(config.out()),
        new RemoteRun(config, new TrainingListener() {}, line -> {}).begin(resume));
    assertEquals(2, Files.readAllLines(config.out().resolve("metrics.jsonl")).size());
  }

  /** A pool is written among the data, in the cache, where the next fetch looks for what is gone. */
  @Test void aPoolThatCouldNotBeUploadedStays() throws IOException {
    for (String name : List.of("collection.tsv", "queries.test.tsv")) {
      buckets.put("pool/" + name, folder.resolve("sample").resolve(name));
    }
    String[] mine = {"mine", "--data", Buckets.url("pool"), "--split", "test", "--depth", "2"};
    Path pool = RemotePaths.input(Buckets.url("pool/bm25.test.tsv"));
    assertEquals(1, buckets.refusing(PutObjectRequest.class, "pool/bm25.test.tsv", () -> execute(mine)));
    assertTrue(err.toString().endsWith("; what was written is in " + pool + "\n"), err.toString());
    assertEquals(1, execute(mine));
    assertTrue(err.toString().endsWith(pool + ": is already there; --force replaces it\n"), err.toString());
    assertEquals(0, execute("mine", "--data", Buckets.url("pool"), "--split", "test", "--depth", "2", "--force"),
        err.toString());
    assertTrue(out.toString().endsWith(": " + Buckets.url("pool/bm25.test.tsv") + "\n"), out.toString());
    assertArrayEquals(Files.readAllBytes(pool), buckets.get("pool/bm25.test.tsv"));
  }

  @Test void anUploadThatFailsLosesNothing() throws IOException {
    assertEquals(1, execute("mine", "--data", Buckets.url("data"), "--split", "test", "--depth", "2", "--out",
        "s3://nowhere-at-all/bm25.tsv"));
    assertTrue(err.toString().contains("s3://nowhere-at-all/bm25.tsv: no such bucket"), err.toString());

    TrainConfig config = ConfigLoader.of(Map.of("data", "d", "pretrained", "p", "out", Buckets.url("runs/lost")));
    List<String> warnings = new ArrayList<>();
    RemoteRun run = new RemoteRun(config, new TrainingListener() {}, warnings::add);
    assertEquals(Optional.empty(), run.begin(Optional.empty()));
    Path checkpoint = Files.createDirectories(config.out().resolve("checkpoints/step-000001"));
    Files.writeString(checkpoint.resolve("training.json"), "{}");
    String lost = buckets.unreachable(() -> {
      run.saved(checkpoint);
      return assertThrows(RemoteException.class, run::finish).getMessage();
    });
    assertEquals(1, warnings.size());
    assertTrue(warnings.getFirst().startsWith("not uploaded: " + Buckets.url("runs/lost/checkpoints/step-000001/")),
        warnings.getFirst());
    assertTrue(lost.endsWith("the run is whole in " + config.out() + ", and --resume " + Buckets.url("runs/lost")
        + " uploads it"), lost);
    assertTrue(Files.exists(checkpoint.resolve("training.json")));
    RemoteRun other = new RemoteRun(config, new TrainingListener() {}, warnings::add);
    assertTrue(assertThrows(ConfigException.class, () -> other.begin(Optional.empty())).getMessage()
        .contains("could not be uploaded and is in " + config.out()));
    RemoteRun again = new RemoteRun(config, new TrainingListener() {}, warnings::add);
    assertEquals(Optional.of(config.out()), again.begin(Optional.of(RemotePaths.input(Buckets.url("runs/lost")))));
    again.finish();
    assertEquals(List.of("runs/lost/checkpoints/step-000001/training.json"), buckets.keys("runs/lost/"));
    assertFalse(Files.exists(config.out()));
  }
}
