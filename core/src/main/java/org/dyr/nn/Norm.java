package org.dyr.nn;

import java.util.List;
import org.dyr.op.LayerNorm;
import org.dyr.op.Value;

/** Layer norm with its weight and bias (C). */
final class Norm {
  private final double eps;
  private final Parameter weight;
  private final Parameter bias;

  Norm(String path, int columns, double eps, List<Parameter> parameters) {
    this.eps = eps;
    weight = Parameter.vector(path + "LayerNorm.weight", columns, Parameter.Init.ONES);
    bias = Parameter.vector(path + "LayerNorm.bias", columns, Parameter.Init.ZEROS);
    parameters.add(weight);
    parameters.add(bias);
  }

  Value apply(Pass pass, Value x) {
    try (var s = pass.scope("norm")) {
      return pass.emit(new LayerNorm(eps), x, pass.weight(weight, x), pass.weight(bias, x));
    }
  }
}
