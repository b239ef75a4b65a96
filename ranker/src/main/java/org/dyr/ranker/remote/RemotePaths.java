package org.dyr.ranker.remote;

import java.nio.file.Path;
import java.util.Optional;
import org.dyr.io.CacheFolder;

/**
 * The local paths of {@code s3://bucket/key}: {@code CACHE/s3/in/bucket/key} for what is read, {@code
 * CACHE/s3/out/bucket/key} for what is written over a run's time, in the {@link CacheFolder}. Names alone decide; no
 * network is asked.
 */
public final class RemotePaths {
  private static final String SCHEME = "s3://";
  private static final String IN = "in";
  private static final String OUT = "out";

  private RemotePaths() {}

  /** The path that a text means, to be read. */
  public static Path input(String text) {
    return isRemote(text) ? in(parse(text)) : Path.of(text);
  }

  /** The path that a text means, to be written. */
  public static Path output(String text) {
    return isRemote(text) ? local(OUT, parse(text)) : Path.of(text);
  }

  private static boolean isRemote(String text) {
    return text.startsWith(SCHEME);
  }

  /** @throws IllegalArgumentException when the text names no bucket, or a key that cannot be a path */
  private static S3Location parse(String text) {
    String rest = text.substring(SCHEME.length());
    int slash = rest.indexOf('/');
    String key = slash < 0 ? "" : rest.substring(slash + 1);
    return new S3Location(slash < 0 ? rest : rest.substring(0, slash),
        key.endsWith("/") ? key.substring(0, key.length() - 1) : key);
  }

  static Path in(S3Location at) {
    return local(IN, at);
  }

  static Path etag(S3Location at) {
    return local("etags", at);
  }

  /** A path that a location has in the part of the cache for what is written. */
  public static Path out(S3Location at) {
    return local(OUT, at);
  }

  private static Path local(String part, S3Location at) {
    Path bucket = root().resolve(part).resolve(at.bucket());
    return at.key().isEmpty() ? bucket : bucket.resolve(at.key());
  }

  /** The folder of all that comes from or goes to buckets. */
  public static Path root() {
    return CacheFolder.path().resolve("s3");
  }

  /** The location that a local path stands for; nothing for a path that is what it is. */
  public static Optional<S3Location> location(Path path) {
    Path root = root();
    if (!path.startsWith(root)) return Optional.empty();
    Path rest = root.relativize(path);
    String part = rest.getName(0).toString();
    if (rest.getNameCount() < 2 || !part.equals(IN) && !part.equals(OUT)) return Optional.empty();
    StringBuilder key = new StringBuilder();
    for (int i = 2; i < rest.getNameCount(); i++) key.append(i == 2 ? "" : "/").append(rest.getName(i));
    return Optional.of(new S3Location(rest.getName(1).toString(), key.toString()));
  }

  /** The text of a path as it was given: {@code s3://bucket/key} where it stands for that. */
  public static String text(Path path) {
    return location(path).map(S3Location::toString).orElse(path.toString());
  }
}
