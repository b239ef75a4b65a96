package org.dyr.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.dyr.kernels.cuda.Pointwise.Step;
import org.dyr.op.Activation;
import org.dyr.op.Activation.Kind;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.BiasActivation;
import org.dyr.op.Cast;
import org.dyr.op.Dropout;
import org.dyr.op.Sum;
import org.dyr.tensor.DType;
import org.dyr.tensor.ShapeException;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;

/** The record and the text that is written for it; what the text computes is tested on a device. */
class PointwiseTest {

  private static Pointwise biasGeluDropout(double probability, int site) {
    return new Pointwise(5, List.of(new Step(new AddBias(), List.of(0, 1)),
        new Step(new Activation(Kind.GELU), List.of(~0)),
        new Step(new Dropout(probability, site), List.of(~1, 2, 3, 4))));
  }

  private static Spec[] in(DType type, int rows, int columns) {
    return new Spec[] {Spec.of(type, rows, columns), Spec.of(DType.F32, columns), Spec.of(DType.I32, 4),
        Spec.of(DType.I32, rows), Spec.of(DType.I32, rows)};
  }

  private static String text(Pointwise op, Spec[] in) {
    return new PointwiseSource(op, in).text();
  }

  @Test void isWhatItsStepsAre() {
    assertEquals(biasGeluDropout(0.1, 3), biasGeluDropout(0.1, 3));
    assertEquals(biasGeluDropout(0.1, 3).hashCode(), biasGeluDropout(0.1, 3).hashCode());
    assertNotEquals(biasGeluDropout(0.1, 3), biasGeluDropout(0.1, 4));
    assertEquals("Pointwise[AddBias Gelu Dropout]", biasGeluDropout(0.1, 3).name());
    Step grad = new Step(new BiasActivation.Grad(Kind.TANH), List.of(0, 1, 2));
    assertEquals("Pointwise[BiasTanhGrad Cast[BF16]]",
        new Pointwise(3, List.of(grad, new Step(new Cast(DType.BF16), List.of(~0)))).name());
  }

  @Test void countsInputsAndOutputOnceAndNothingWithin() {
    long x = 2 * 8 * 32;
    assertEquals(x + 4 * 32 + 4 * (4 + 8 + 8) + x, biasGeluDropout(0.1, 3).bytes(in(DType.BF16, 8, 32)));
    assertEquals(0, biasGeluDropout(0.1, 3).flops(in(DType.BF16, 8, 32)));
  }

  @Test void refusesWhatIsNotOfOneElementEachAndOperandsThatDoNotFit() {
    assertThrows(IllegalArgumentException.class, () -> new Pointwise(1, List.of(new Step(new Sum(), List.of(0)))));
    Step inPlace = new Step(new Add(true), List.of(0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Pointwise(2, List.of(inPlace)));
    assertThrows(ShapeException.class, () -> biasGeluDropout(0.1, 3).outputs(in(DType.F32, 8, 32)[0]));
  }

  @Test void oneTextServesAllSizesSitesAndProbabilities() {
    String text = text(biasGeluDropout(0.1, 3), in(DType.BF16, 8, 768));
    assertEquals(text, text(biasGeluDropout(0.5, 7), in(DType.BF16, 100, 64)));
    assertNotEquals(text, text(biasGeluDropout(0.1, 3), in(DType.F16, 8, 768)));
    assertNotEquals(text, text(biasGeluDropout(0.1, 3), in(DType.BF16, 8, 767)));
  }
}
