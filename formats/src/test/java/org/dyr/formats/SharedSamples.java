package org.dyr.formats;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Files that other frameworks wrote, kept outside the project: in the folder that DYR_SHARED names, or ../../shared.
 */
public final class SharedSamples {
  public static final ObjectMapper JSON = new ObjectMapper();

  private SharedSamples() {}

  /** The folder of the samples; a test that asks for it is skipped where it is not there. */
  public static Path folder() {
    String named = System.getProperty("DYR_SHARED", System.getenv().getOrDefault("DYR_SHARED", "../../shared"));
    Path folder = Path.of(named).resolve("formats/samples");
    assumeTrue(Files.isDirectory(folder), "no sample files at " + folder + "; DYR_SHARED names their folder");
    return folder;
  }

  /** What a file is expected to say. */
  public static JsonNode expected(String name) throws IOException {
    return JSON.readTree(folder().resolve("expected").resolve(name).toFile());
  }

  /** A tree as it is after writing and reading, so that numbers compare by what they say. */
  public static JsonNode reread(JsonNode tree) throws IOException {
    return JSON.readTree(JSON.writeValueAsBytes(tree));
  }
}
