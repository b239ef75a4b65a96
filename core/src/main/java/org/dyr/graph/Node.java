package org.dyr.graph;

import java.util.List;
import org.dyr.op.Op;
import org.dyr.op.Value;
import org.dyr.tensor.Spec;

/** An op with its operands, and the path of the layer that recorded it, such as {@code encoder.3.attention}. */
public record Node(Op op, List<Value> in, List<Value> out, String path) {

  public Spec[] inSpecs() {
    return in.stream().map(Value::spec).toArray(Spec[]::new);
  }

  public Spec[] outSpecs() {
    return out.stream().map(Value::spec).toArray(Spec[]::new);
  }

  public long bytes() {
    return op.bytes(inSpecs());
  }

  public long flops() {
    return op.flops(inSpecs());
  }
}
