package org.dyr.nn;

import java.util.List;
import org.dyr.op.AddBias;
import org.dyr.op.MatMul;
import org.dyr.op.Value;

/** y = x W^T + b: x (R,in), W (out,in), b (out), y (R,out). */
final class Linear {
  private final String name;
  private final Parameter weight;
  private final Parameter bias;

  /** @param path what stands before {@code name} in the parameters' names */
  Linear(String path, String name, int in, int out, List<Parameter> parameters) {
    this.name = name;
    weight = Parameter.factor(path + name + ".weight", out, in);
    bias = Parameter.vector(path + name + ".bias", out, Parameter.Init.ZEROS);
    parameters.add(weight);
    parameters.add(bias);
  }

  Value apply(Pass pass, Value x) {
    try (var s = pass.scope(name)) {
      return pass.emit(new AddBias(), pass.emit(new MatMul(false, true), x, pass.weight(weight, x)), pass.weight(bias, x));
    }
  }
}
