package org.dyr.kernels.cuda;

import java.util.List;
import java.util.stream.Collectors;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.BiasActivation;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.FusedOp;
import org.dyr.op.Op;
import org.dyr.op.Recorder;
import org.dyr.op.Scale;
import org.dyr.op.Value;
import org.dyr.tensor.Spec;

/**
 * Several ops of one element each, in one pass: inner values stay in registers, in fp32, rounded only where a
 * {@link Cast} rounds them. The output is what the last step makes; an inner value has one reader, so this is a tree.
 * The bytes are those of its inputs and its output, each once.
 *
 * @param inputs how many there are
 * @param steps in an order in which they can run
 */
public record Pointwise(int inputs, List<Step> steps) implements FusedOp {

  /** An op and its operands: {@code i} is input i, {@code ~k} what step k makes. */
  public record Step(Op op, List<Integer> operands) {
    public Step {
      operands = List.copyOf(operands);
    }
  }

  public Pointwise {
    steps = List.copyOf(steps);
    for (Step s : steps) {
      if (elements(s.op) == 0) throw new IllegalArgumentException("Pointwise: not of one element: " + s.op.name());
    }
  }

  /** How many of the op's first operands are read element by element, as its output is made; 0 for any other op. */
  static int elements(Op op) {
    return switch (op) {
      case AddBias _, Activation _, BiasActivation _, Dropout _, Scale _, Cast _ -> 1;
      case Activation.Grad _, BiasActivation.Grad _ -> 2;
      case Add add when !add.inPlace() -> 2;
      default -> 0;
    };
  }

  @Override public Spec[] outputs(Spec... in) {
    return new Spec[] {made(in)[steps.size() - 1]};
  }

  /** What every step makes. */
  Spec[] made(Spec... in) {
    Op.arity(this, in, inputs);
    Spec[] made = new Spec[steps.size()];
    for (int k = 0; k < made.length; k++) {
      Step s = steps.get(k);
      made[k] = s.op.outputs(s.operands.stream().map(o -> o < 0 ? made[~o] : in[o]).toArray(Spec[]::new))[0];
    }
    return made;
  }

  @Override public Value[] decompose(Recorder r, Value... in) {
    Value[] made = new Value[steps.size()];
    for (int k = 0; k < made.length; k++) {
      Step s = steps.get(k);
      made[k] = r.emit1(s.op, s.operands.stream().map(o -> o < 0 ? made[~o] : in[o]).toArray(Value[]::new));
    }
    return new Value[] {made[made.length - 1]};
  }

  /** {@code Pointwise[AddBias Gelu Dropout]}. */
  @Override public String name() {
    return steps.stream().map(s -> word(s.op)).collect(Collectors.joining(" ", "Pointwise[", "]"));
  }

  private static String word(Op op) {
    return switch (op) {
      case Activation a -> word(a.kind());
      case Activation.Grad a -> word(a.kind()) + "Grad";
      case BiasActivation a -> "Bias" + word(a.kind());
      case BiasActivation.Grad a -> "Bias" + word(a.kind()) + "Grad";
      default -> op.name();
    };
  }

  static String word(Activation.Kind kind) {
    return switch (kind) {
      case GELU -> "Gelu";
      case GELU_TANH -> "GeluTanh";
      case RELU -> "Relu";
      case TANH -> "Tanh";
    };
  }
}
