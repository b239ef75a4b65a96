package org.dyr.ranker.model;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.dyr.nn.Parameter;
import org.dyr.tensor.DType;

/** An open file or directory that a model's parameters are read from. */
interface ParameterSource extends AutoCloseable {

  boolean has(Parameter p);

  /**
   * Copies a parameter.
   *
   * @throws ModelException when its shape is not the parameter's
   */
  void copy(Parameter p, MemorySegment to, DType as);

  /**
   * The numbers of a parameter where they lie in memory as they are, until {@link #close}; nothing where they are to be
   * copied.
   *
   * @throws ModelException when its shape is not the parameter's
   */
  default Optional<MemorySegment> mapped(Parameter p, DType as) {
    return Optional.empty();
  }

  @Override void close();

  /** A parameter's sizes as files give them. */
  static List<Long> dims(Parameter p) {
    return Arrays.stream(p.shape().dims()).mapToObj(d -> (long) d).toList();
  }
}
