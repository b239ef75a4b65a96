package org.dyr.op;

import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/** A tensor in a graph: its number there and its spec. What made it and where it lives, the graph knows. */
public record Value(int id, Spec spec) {

  public Shape shape() {
    return spec.shape();
  }
}
