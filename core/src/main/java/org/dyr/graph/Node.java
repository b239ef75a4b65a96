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

  /** Bytes of all operands: what the op moves if it touches each once. */
  public long bytes() {
    long b = 0;
    for (Value v : in) b += v.spec().bytes();
    for (int i = 0; i < out.size(); i++) if (op.aliasOf(i) < 0) b += out.get(i).spec().bytes();
    return b;
  }

  public long flops() {
    return op.flops(inSpecs());
  }
}
