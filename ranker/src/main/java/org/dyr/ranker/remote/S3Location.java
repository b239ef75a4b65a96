package org.dyr.ranker.remote;

/**
 * An object or a folder in a bucket.
 *
 * @param key without slashes at its ends; empty for the whole bucket
 */
public record S3Location(String bucket, String key) {

  /** @throws IllegalArgumentException when the bucket is no name, or the key has a part that no path can have */
  public S3Location {
    if (!bucket.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
      throw new IllegalArgumentException("'%s' is not the name of a bucket; s3://bucket/key is".formatted(bucket));
    }
    if (!key.isEmpty()) {
      for (String part : key.split("/", -1)) {
        if (part.isEmpty() || part.equals(".") || part.equals("..") || part.indexOf('\0') >= 0) {
          throw new IllegalArgumentException(
              "s3://%s/%s: '%s' as part of a key has no place in a folder".formatted(bucket, key, part));
        }
      }
    }
  }

  /** What lies in this folder under a name, which may have slashes. */
  S3Location resolve(String name) {
    return new S3Location(bucket, key.isEmpty() ? name : key + "/" + name);
  }

  /** What lies beside it under a name. */
  S3Location sibling(String name) {
    return new S3Location(bucket, key.substring(0, key.lastIndexOf('/') + 1) + name);
  }

  /** The folder that it lies in. */
  public S3Location parent() {
    return new S3Location(bucket, key.contains("/") ? key.substring(0, key.lastIndexOf('/')) : "");
  }

  /** The last part. */
  String name() {
    return key.substring(key.lastIndexOf('/') + 1);
  }

  /** What every key in this folder begins with. */
  String prefix() {
    return key.isEmpty() ? "" : key + "/";
  }

  @Override public String toString() {
    return "s3://" + bucket + "/" + key;
  }
}
