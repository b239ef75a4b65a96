package org.dyr.formats.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** An open file of named tensors, or a directory of such. What it gives out is valid until it is closed. */
public interface TensorFile extends AutoCloseable {

  Path path();

  /** The format in words, such as {@code "MindSpore checkpoint"}. */
  String format();

  /** All tensors in the order of the file. */
  List<StoredTensor> tensors();

  @Override void close() throws IOException;
}
