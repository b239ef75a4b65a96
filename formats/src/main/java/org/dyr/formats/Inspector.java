package org.dyr.formats;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;

/** Looks into the files of one format. */
public interface Inspector {

  /** Whether the file is of this format, told by its name and its first bytes. */
  boolean reads(Path file) throws IOException;

  /**
   * Schema and counts, and the first {@code rows} rows where the file has rows.
   *
   * @throws FormatException for a damaged file
   */
  ObjectNode inspect(Path file, int rows) throws IOException;
}
