package org.dyr.ranker.remote;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.HeadObjectRequest;

class RemoteTest {
  @TempDir static Path folder;
  private static Buckets buckets;

  @BeforeAll static void start() {
    buckets = new Buckets(folder.resolve("cache"));
  }

  @AfterAll static void stop() {
    buckets.close();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test void pathsAndLocationsAreTheSameThing() {
    Path in = RemotePaths.input("s3://b/a/c.tsv"), out = RemotePaths.output("s3://b/a/c.tsv");
    assertEquals(folder.resolve("cache/s3/in/b/a/c.tsv").toAbsolutePath(), in);
    assertFalse(in.equals(out));
    assertEquals("s3://b/a/c.tsv", RemotePaths.text(in));
    assertEquals("s3://b/a/c.tsv", RemotePaths.text(out));
    assertEquals(Optional.of(new S3Location("b", "")), RemotePaths.location(RemotePaths.input("s3://b")));
    assertEquals(RemotePaths.input("s3://b/a"), RemotePaths.input("s3://b/a/"));
    assertEquals(Path.of("b/a"), RemotePaths.input("b/a"));
    assertEquals(Optional.empty(), RemotePaths.location(Path.of("b/a").toAbsolutePath()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"s3://", "s3:///a", "s3://../a", "s3://b/../../x", "s3://b/a//c", "s3://b/./c"})
  void whatCannotBeAPathIsRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> RemotePaths.input(text));
  }

  @Test void anObjectIsFetchedOnceAndAgainWhenItChanges() throws IOException {
    buckets.put("once/a.tsv", bytes("first"));
    Path file = RemotePaths.input(Buckets.url("once/a.tsv"));
    Remote.fetch(file);
    assertEquals("first", Files.readString(file));
    Files.writeString(file, "FIRST"); // as long: the ETag still says that it is the bucket's
    Remote.fetch(file);
    assertEquals("FIRST", Files.readString(file));
    buckets.put("once/a.tsv", bytes("other"));
    Remote.fetch(file);
    assertEquals("other", Files.readString(file));
  }

  @Test void aFolderIsWhatTheBucketHas() throws IOException {
    buckets.put("tree/a", bytes("1"));
    buckets.put("tree/deep/b", bytes("2"));
    buckets.put("tree/", new byte[0]);
    buckets.put("treeless", bytes("3"));
    Path tree = RemotePaths.input(Buckets.url("tree"));
    Remote.fetch(tree);
    assertEquals(List.of(tree.resolve("a"), tree.resolve("deep/b")), Remote.files(tree));
    buckets.delete("tree/a");
    Remote.fetch(tree);
    assertEquals(List.of(tree.resolve("deep/b")), Remote.files(tree));
    assertEquals("2", Files.readString(tree.resolve("deep/b")));
  }

  /** What a command wrote beside fetched files is no copy of anything until it is uploaded. */
  @Test void whatCouldNotBeUploadedOutlivesTheNextFetch() throws IOException {
    buckets.put("pools/collection.tsv", bytes("p\ttext\n"));
    Path data = RemotePaths.input(Buckets.url("pools")), pool = data.resolve("bm25.train.tsv");
    Remote.fetch(data);
    Files.writeString(pool, "q\tp\t1\n");
    String failure = buckets.unreachable(() -> assertThrows(RemoteException.class, () -> Remote.upload(pool)))
        .getMessage();
    assertTrue(failure.startsWith(Buckets.url("pools/bm25.train.tsv") + ": cannot be reached: ")
        && failure.endsWith("; what was written is in " + pool), failure);
    Remote.fetch(data);
    assertEquals("q\tp\t1\n", Files.readString(pool));
    Remote.upload(pool);
    buckets.delete("pools/bm25.train.tsv");
    Remote.fetch(data);
    assertFalse(Files.exists(pool), "once uploaded it is a copy");
  }

  @Test void aShardBringsTheOthersAndTheIndexes() throws IOException {
    for (String name : List.of("t.mindrecord0", "t.mindrecord0.db", "t.mindrecord1", "t.mindrecord1.db",
        "u.mindrecord1")) {
      buckets.put("records/" + name, bytes(name));
    }
    Path first = RemotePaths.input(Buckets.url("records/t.mindrecord0"));
    Remote.fetch(first);
    assertEquals(List.of("t.mindrecord0", "t.mindrecord0.db", "t.mindrecord1", "t.mindrecord1.db"),
        Remote.files(first.getParent()).stream().map(f -> f.getFileName().toString()).toList());
    buckets.delete("records/t.mindrecord0.db");
    Remote.fetch(first);
    assertFalse(Files.exists(first.resolveSibling("t.mindrecord0.db")), "an index that is gone must not stay");
  }

  private static List<String> beside(Path file) throws IOException {
    return Remote.files(file.getParent()).stream().map(f -> f.getFileName().toString()).toList();
  }

  /** Without its configuration a vocabulary of cased words would be taken for one of lower-cased words. */
  @Test void aVocabularyOfAnyNameBringsItsConfiguration() throws IOException {
    for (String name : List.of("german.txt", "german.json", "vocab.txt", "tokenizer_config.json", "other.txt")) {
      buckets.put("words/" + name, bytes("{}"));
    }
    Path words = RemotePaths.input(Buckets.url("words/german.txt"));
    Remote.fetchVocabulary(words);
    assertEquals(List.of("german.txt", "tokenizer_config.json"), beside(words));
    Remote.fetchVocabulary(words.resolveSibling("german.json"));
    assertEquals(List.of("german.json", "german.txt", "tokenizer_config.json", "vocab.txt"), beside(words));
    buckets.delete("words/tokenizer_config.json");
    Remote.fetchVocabulary(words);
    assertEquals(List.of("german.json", "german.txt", "vocab.txt"), beside(words));
  }

  /** S3 does not say whether there is an object to whom it would not list it. */
  @Test void whatMayBeMissingMayBeDenied() throws IOException {
    buckets.put("denied/words.txt", bytes("a"));
    Path words = RemotePaths.input(Buckets.url("denied/words.txt"));
    buckets.refusing(HeadObjectRequest.class, "denied/tokenizer_config.json", () -> {
      Remote.fetchVocabulary(words);
      return null;
    });
    assertEquals(List.of("words.txt"), beside(words));
    String failure = buckets.refusing(HeadObjectRequest.class, "denied/words.txt",
        () -> failure(Buckets.url("denied/words.txt")));
    assertTrue(failure.startsWith(Buckets.url("denied/words.txt") + ": access is denied"), failure);
  }

  @Test void longFilesGoInParts() throws IOException {
    byte[] content = new byte[(11 << 20) + 3];
    new Random(1).nextBytes(content);
    Path file = Files.write(folder.resolve("long"), content);
    new S3(5 << 20, 5 << 20).put(file, new S3Location(Buckets.BUCKET, "long/file"));
    assertArrayEquals(content, buckets.get("long/file"));
    Path back = RemotePaths.input(Buckets.url("long/file"));
    Remote.fetch(back);
    assertArrayEquals(content, Files.readAllBytes(back));
  }

  @Test void aFolderGoesUpByWhatChangedAndTheMarkLast() throws IOException {
    Path local = RemotePaths.output(Buckets.url("run"));
    Files.createDirectories(local.resolve("step-1"));
    Files.writeString(local.resolve("step-1/training.json"), "{}");
    Files.writeString(local.resolve("step-1/weights"), "w");
    Files.writeString(local.resolve(".prepared"), "hidden");
    buckets.put("run/other", bytes("not ours"));
    RemoteFolder remote = new RemoteFolder(local, "training.json");
    remote.upload();
    assertEquals(List.of("run/other", "run/step-1/training.json", "run/step-1/weights"), buckets.keys("run/"));
    buckets.put("run/step-1/weights", bytes("!"));
    remote.upload();
    assertArrayEquals(bytes("!"), buckets.get("run/step-1/weights"), "what did not change stays down");
    Files.delete(local.resolve("step-1/weights"));
    Files.writeString(local.resolve("log"), "l");
    remote.upload();
    assertEquals(List.of("run/log", "run/other", "run/step-1/training.json"), buckets.keys("run/"));
  }

  /** The mark of a whole checkpoint sorts before most of the run: a folder with it must have the rest too. */
  @Test void aDownloadThatBreaksLeavesNoHalf() throws IOException {
    for (String name : List.of("checkpoints/step-1/training.json", "metrics.jsonl")) {
      buckets.put("torn/" + name, bytes(name));
    }
    Path local = RemotePaths.output(Buckets.url("torn"));
    RemoteFolder remote = new RemoteFolder(local, "training.json");
    assertThrows(RemoteException.class, () -> buckets.refusing(GetObjectRequest.class, "torn/metrics.jsonl", () -> {
      remote.download(name -> true);
      return null;
    }));
    assertFalse(Files.exists(local));
    remote.download(name -> !name.equals("metrics.jsonl"));
    Files.writeString(local.resolve("older"), "o");
    assertThrows(RemoteException.class, () -> buckets.refusing(GetObjectRequest.class, "torn/metrics.jsonl", () -> {
      remote.download(name -> true);
      return null;
    }));
    assertTrue(Files.exists(local.resolve("older")), "as it was");
    remote.download(name -> true);
    assertEquals(List.of(local.resolve("checkpoints/step-1/training.json"), local.resolve("metrics.jsonl")),
        Remote.files(local));
    remote.removeLocal();
    try (var left = Files.list(local.getParent())) {
      assertEquals(List.of(), left.filter(f -> f.getFileName().toString().contains("torn")).toList());
    }
  }

  private static String failure(String url) {
    return assertThrows(RemoteException.class, () -> Remote.fetch(RemotePaths.input(url))).getMessage();
  }

  @Test void failuresNameBucketAndKey() {
    assertEquals(Buckets.url("no/such") + ": no such object or folder", failure(Buckets.url("no/such")));
    assertEquals("s3://no-such-bucket/a: no such bucket no-such-bucket", failure("s3://no-such-bucket/a"));
    buckets.withoutCredentials(() -> assertEquals(Buckets.url("a") + ": no credentials: AWS_ACCESS_KEY_ID and "
        + "AWS_SECRET_ACCESS_KEY, or a profile file, give them", failure(Buckets.url("a"))));
    String failure = buckets.unreachable(() -> failure(Buckets.url("a")));
    assertTrue(failure.startsWith(Buckets.url("a") + ": cannot be reached: "), failure);
  }
}
