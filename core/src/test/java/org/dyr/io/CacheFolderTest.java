package org.dyr.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CacheFolderTest {
  private final String before = System.getProperty("dyr.cache");

  @AfterEach void restore() {
    if (before == null) System.clearProperty("dyr.cache");
    else System.setProperty("dyr.cache", before);
  }

  @Test void thePropertyNamesIt() {
    System.setProperty("dyr.cache", "some/where");
    assertEquals(Path.of("some/where").toAbsolutePath(), CacheFolder.path());
  }

  /** As of {@code DYR_CACHE=} in a script; else all of it would land where the program happens to be started. */
  @Test void anEmptyNameIsNone() {
    System.setProperty("dyr.cache", "");
    assertNotEquals(Path.of("").toAbsolutePath(), CacheFolder.path());
  }
}
