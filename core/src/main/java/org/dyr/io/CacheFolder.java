package org.dyr.io;

import java.nio.file.Path;

/**
 * The user's folder for what can be had again: the system property {@code dyr.cache}, else the variable {@code
 * DYR_CACHE}, else {@code dyr} in {@code XDG_CACHE_HOME} or {@code ~/.cache}; an empty one counts as none. It need not
 * be there, nor be writable.
 */
public final class CacheFolder {
  private CacheFolder() {}

  public static Path path() {
    String property = System.getProperty("dyr.cache"), given = System.getenv("DYR_CACHE");
    String cache = System.getenv("XDG_CACHE_HOME");
    Path folder = isNamed(property) ? Path.of(property) : isNamed(given) ? Path.of(given)
        : isNamed(cache) ? Path.of(cache, "dyr") : Path.of(System.getProperty("user.home"), ".cache", "dyr");
    return folder.toAbsolutePath().normalize();
  }

  private static boolean isNamed(String folder) {
    return folder != null && !folder.isEmpty();
  }
}
