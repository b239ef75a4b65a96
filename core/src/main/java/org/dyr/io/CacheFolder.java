package org.dyr.io;

import java.nio.file.Path;

/**
 * The user's folder for what can be had again: the system property {@code dyr.cache}, else the variable {@code
 * DYR_CACHE}, else {@code dyr} in {@code XDG_CACHE_HOME} or {@code ~/.cache}. It need not be there, nor be writable.
 */
public final class CacheFolder {
  private CacheFolder() {}

  public static Path path() {
    String given = System.getProperty("dyr.cache", System.getenv("DYR_CACHE"));
    String cache = System.getenv("XDG_CACHE_HOME");
    Path folder = given != null ? Path.of(given) : cache != null && !cache.isEmpty() ? Path.of(cache, "dyr")
        : Path.of(System.getProperty("user.home"), ".cache", "dyr");
    return folder.toAbsolutePath().normalize();
  }
}
