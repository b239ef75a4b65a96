package org.dyr.ranker.remote;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dyr.io.AtomicFiles;

/**
 * The door to buckets. A path of {@link RemotePaths} is fetched before it is read, and uploaded when what was written
 * there is whole; for any other path nothing happens, and the AWS SDK is not loaded.
 */
public final class Remote {
  private static final Pattern SHARD = Pattern.compile("(.*mindrecord)\\d+");
  private static final String VOCABULARY = "vocab.txt";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";

  private static S3 s3;

  private Remote() {}

  static synchronized S3 s3() {
    if (s3 == null) s3 = new S3();
    return s3;
  }

  /** Forgets endpoint and credentials, so that they are read anew; for tests. */
  static synchronized void reset() {
    s3 = null;
  }

  /**
   * Brings an object, or all objects of a folder, to where the path says, unless they are there with the same ETag.
   * With a MindRecord file come its index and its other shards. Copies of what the bucket no longer has are removed
   * from the cache.
   *
   * @throws RemoteException when there is neither, or the bucket cannot be read; what had been fetched before stays
   * @throws IOException when the local disk fails
   */
  public static void fetch(Path path) throws IOException {
    fetch(path, Remote::index);
  }

  /**
   * As {@link #fetch(Path)}, of a vocabulary of whatever name: with it comes what a tokenizer looks for beside it, which
   * says whether texts are lower-cased.
   */
  public static void fetchVocabulary(Path path) throws IOException {
    fetch(path, Remote::besideVocabulary);
  }

  /** @param optional names of what may be there beside an object, and belongs to it where it is */
  private static void fetch(Path path, Function<String, List<String>> optional) throws IOException {
    S3Location at = RemotePaths.location(path).orElse(null);
    if (at == null) return;
    Optional<S3.Entry> object = s3().find(at);
    if (object.isPresent()) {
      fetch(object.get());
      for (String name : optional.apply(at.name())) fetchOrForget(s3().findOptional(at.sibling(name)), at.sibling(name));
      for (S3Location shard : shards(at)) fetchOrForget(s3().find(shard), shard);
      return;
    }
    List<S3.Entry> entries = s3().list(at);
    if (entries.isEmpty()) throw new RemoteException(at + ": no such object or folder");
    Set<Path> there = new HashSet<>();
    for (S3.Entry entry : entries) {
      fetch(entry);
      there.add(RemotePaths.in(entry.at()));
    }
    for (Path file : files(RemotePaths.in(at))) {
      if (!there.contains(file)) forget(RemotePaths.location(file).orElseThrow());
    }
  }

  private static void fetchOrForget(Optional<S3.Entry> found, S3Location at) throws IOException {
    if (found.isPresent()) fetch(found.get());
    else forget(at);
  }

  private static void fetch(S3.Entry entry) throws IOException {
    Path file = RemotePaths.in(entry.at()), etag = RemotePaths.etag(entry.at());
    boolean there = Files.isRegularFile(file) && Files.size(file) == entry.bytes() && Files.isRegularFile(etag)
        && Files.readString(etag).equals(entry.etag());
    if (there) return;
    room(file);
    room(etag);
    record(entry.at(), ""); // whatever happens now, an ETag never stands beside another content
    s3().get(entry, file);
    record(entry.at(), entry.etag());
  }

  /** Notes that the file of a location is a copy of the bucket's; an empty ETag says no more than that. */
  private static void record(S3Location at, String etag) throws IOException {
    Path file = RemotePaths.etag(at);
    Files.createDirectories(file.getParent());
    AtomicFiles.write(file, etag.getBytes(StandardCharsets.UTF_8));
  }

  /** A bucket may have both a and a/b, and one after the other; a disk has either. */
  private static void room(Path file) throws IOException {
    if (Files.isDirectory(file)) AtomicFiles.removeTree(file);
    for (Path above = file.getParent(); above.startsWith(RemotePaths.root()); above = above.getParent()) {
      if (Files.isRegularFile(above)) throw new NotDirectoryException(above + " (an object of the bucket) and " + file);
    }
  }

  /** Removes a copy of what the bucket no longer has. A file that never was one is all that there is of it, and stays. */
  private static void forget(S3Location at) throws IOException {
    if (!Files.exists(RemotePaths.etag(at))) return;
    Files.deleteIfExists(RemotePaths.in(at));
    Files.delete(RemotePaths.etag(at));
  }

  private static List<String> index(String name) {
    return name.contains("mindrecord") ? List.of(name + ".db") : List.of();
  }

  private static List<String> besideVocabulary(String name) {
    return name.endsWith(".json") ? List.of(VOCABULARY, TOKENIZER_CONFIG) : List.of(TOKENIZER_CONFIG);
  }

  /** The other shards of a MindRecord file, and their indexes. */
  private static List<S3Location> shards(S3Location at) {
    Matcher shard = SHARD.matcher(at.name());
    if (!shard.matches()) return List.of();
    Pattern ours = Pattern.compile(Pattern.quote(shard.group(1)) + "\\d+(\\.db)?");
    Set<String> fetched = Set.of(at.name(), at.name() + ".db");
    return s3().list(at.parent()).stream().map(S3.Entry::at)
        .filter(e -> e.equals(at.sibling(e.name())) && ours.matcher(e.name()).matches())
        .filter(e -> !fetched.contains(e.name())).toList();
  }

  /** Whether an object of that key or a folder of that name is there. */
  public static boolean exists(S3Location at) {
    return s3().find(at).isPresent() || !s3().list(at).isEmpty();
  }

  /** Whether a folder of that name has an object. */
  public static boolean isFolder(S3Location at) {
    return !s3().list(at).isEmpty();
  }

  /**
   * Uploads a file, or all files of a folder, to where the path says.
   *
   * @throws RemoteException when the bucket cannot be written; all local files are as they were, and the message says
   *     where
   */
  public static void upload(Path path) throws IOException {
    Optional<S3Location> at = RemotePaths.location(path);
    if (at.isEmpty()) return;
    try {
      upload(path, at.get());
    } catch (RemoteException e) {
      throw e.with("; what was written is in " + path);
    }
    if (!path.equals(RemotePaths.in(at.get()))) return;
    for (Path file : files(path)) record(RemotePaths.location(file).orElseThrow(), "");
  }

  /** Uploads a file, or all files of a folder. */
  public static void upload(Path from, S3Location to) throws IOException {
    for (Path file : files(from)) {
      s3().put(file, file.equals(from) ? to : to.resolve(slashed(from.relativize(file))));
    }
  }

  /** All files of a tree that are not hidden, sorted; the file itself for a file. */
  static List<Path> files(Path tree) throws IOException {
    if (!Files.exists(tree)) return List.of();
    try (Stream<Path> all = Files.walk(tree)) {
      return all.filter(Files::isRegularFile).filter(file -> {
        for (Path part : tree.relativize(file)) if (part.toString().startsWith(".")) return false;
        return true;
      }).sorted().toList();
    }
  }

  /** A relative path as part of a key. */
  static String slashed(Path relative) {
    return relative.toString().replace('\\', '/');
  }
}
