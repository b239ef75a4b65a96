package org.dyr.formats.checkpoint;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Real files of other frameworks, which lie outside of the project; a test that needs them is skipped without. */
final class Samples {
  private static final String NAME = "DYR_SHARED";

  private Samples() {}

  /** A path below the folder that the property or the environment variable DYR_SHARED names. */
  static Path path(String below) {
    String named = System.getProperty(NAME, System.getenv(NAME));
    Path path = Path.of(named == null ? "../../shared" : named).resolve("formats").resolve(below);
    assumeTrue(Files.exists(path), path + " is absent; DYR_SHARED names the folder that holds formats/");
    return path;
  }
}
