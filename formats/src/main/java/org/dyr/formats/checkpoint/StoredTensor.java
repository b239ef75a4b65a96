package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * A named tensor as a file holds it. Its bytes stay in the file until they are asked for.
 *
 * @param dims    the sizes of the axes; none for a scalar
 * @param bytes   bytes of its elements: what type and sizes take; for a {@link ElementType#TEXT} scalar, of all
 *     characters
 * @param content gives the elements, row-major and little-endian: exactly {@code bytes} of them
 */
public record StoredTensor(String name, ElementType type, List<Long> dims, long bytes, Content content) {
  public StoredTensor {
    dims = List.copyOf(dims);
  }

  /** Where the bytes are. */
  @FunctionalInterface
  public interface Content {
    /**
     * The bytes from their first; the caller closes the stream. Ends before the tensor does only by a {@link
     * org.dyr.formats.FormatException}.
     */
    InputStream open() throws IOException;
  }

  /** The same tensor under another name. */
  public StoredTensor named(String other) {
    return new StoredTensor(other, type, dims, bytes, content);
  }
}
